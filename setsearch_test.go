package semblance_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/exchange"
	"semblance/hashing"
	"semblance/index/digestset"
)

// withSets gives a rig a library of digest sets.
func (r *rig) withSets() (*digestset.Library, string) {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), "sets")
	l, err := digestset.OpenLibrary(dir, digestset.Options{Memory: 8 << 20}, nil, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Sets, r.SetFiles, r.SetRecords = l, l, r.store
	return l, dir
}

// source opens a list as a source of sets.
func (r *rig) source(name, text string) exchange.Source {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	s, err := exchange.Open(r.t.Context(), path, "", hashing.AlgorithmSHA256)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { s.Close() })
	return s
}

func (r *rig) set(collection, name, text string) semblance.DigestSet {
	r.t.Helper()
	s, err := r.ImportSet(r.t.Context(), tester, collection, r.source(name, text), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestHitInADigestSetTellsItsRow(t *testing.T) {
	r := newRig(t)
	r.withSets()
	r.collection("known", semblance.Hashes)
	b := picture{PDQ: somePDQ}.bytes(t)
	d := hashing.DigestBytes(b)
	r.list("known", fmt.Sprintf("%x,an entry\n", d.MD5))
	s := r.set("known", "big.txt", fmt.Sprintf("# list\n%x\n%x,series 7\n", hashing.DigestBytes([]byte("x")).SHA1, d.SHA1))
	x := r.examine(b, "known")
	if len(x.Findings.Hits) != 1 {
		t.Fatalf("hits: %+v", x.Findings.Hits)
	}
	h := x.Findings.Hits[0]
	if h.Algorithm != hashing.AlgorithmSHA1 || h.Weak || len(h.Agree) != 2 || h.Source != "big.txt" || h.Record != "line 3" || h.Note != "series 7" || h.Set != s.ID || h.Entry != 0 || h.Value != fmt.Sprintf("%x", d.SHA1) {
		t.Errorf("hit: %+v", h)
	}
	c, err := r.Collections.Collection(t.Context(), "known")
	if err != nil || c.Digests != 2 || c.Entries != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if x := r.examine([]byte(`{}`), "known"); len(x.Findings.Hits) != 0 {
		t.Errorf("what is not there: %+v", x.Findings.Hits)
	}
}

func TestKnownGoodSetNeedsTheSize(t *testing.T) {
	r := newRig(t)
	r.withSets()
	r.collection("good", semblance.KnownGood)
	r.collection("known", semblance.Hashes)
	sized, other, bare, both := picture{Salt: "sized"}.bytes(t), picture{Salt: "other"}.bytes(t), picture{Salt: "bare"}.bytes(t), picture{Salt: "both"}.bytes(t)
	line := func(b []byte, size int) string {
		return fmt.Sprintf("%x,size=%d\n", hashing.DigestBytes(b).SHA1, size)
	}
	r.set("good", "nsrl.txt", line(sized, len(sized))+line(other, len(other)+1)+line(bare, 0)+line(both, len(both)))
	r.set("known", "list.txt", fmt.Sprintf("%x\n", hashing.DigestBytes(both).SHA256))
	if x := r.examine(sized, "good", "known"); x.Status != semblance.ItemKnownGood {
		t.Errorf("SHA-1 with the size: %s", x.Status)
	}
	if x := r.examine(other, "good"); x.Status == semblance.ItemKnownGood || len(x.Findings.KnownGood) != 0 {
		t.Errorf("SHA-1 with another size: %s, %+v", x.Status, x.Findings.KnownGood)
	}
	if x := r.examine(bare, "good"); x.Status == semblance.ItemKnownGood || len(x.Findings.KnownGood) != 1 || !x.Findings.KnownGood[0].Weak {
		t.Errorf("SHA-1 without a size: %s, %+v", x.Status, x.Findings.KnownGood)
	}
	if x := r.examine(both, "good", "known"); x.Status == semblance.ItemKnownGood || len(x.Findings.Contradictions) != 1 || len(x.Findings.Hits) != 1 {
		t.Errorf("in both: %s, %+v", x.Status, x.Findings)
	}
}

func (r *rig) lookup(text string, collections ...string) ([]semblance.LookupResult, error) {
	var out []semblance.LookupResult
	lines := strings.Split(strings.TrimSpace(text), "\n")
	_, err := r.Lookup(r.t.Context(), tester, semblance.LookupRequest{Case: "C1", Collections: collections}, func() (string, error) {
		if len(lines) == 0 {
			return "", io.EOF
		}
		line := lines[0]
		lines = lines[1:]
		return line, nil
	}, func(l semblance.LookupResult) error {
		out = append(out, l)
		return nil
	})
	return out, err
}

func TestLookupInDigestSets(t *testing.T) {
	r := newRig(t)
	r.withSets()
	r.collection("known", semblance.Hashes)
	r.collection("good", semblance.KnownGood)
	d, e := hashing.DigestBytes([]byte("a")), hashing.DigestBytes([]byte("b"))
	one := r.set("known", "one.txt", fmt.Sprintf("%x\n", d.MD5))
	two := r.set("known", "two.txt", fmt.Sprintf("%x,again,size=1\n", d.MD5))
	good := r.set("good", "good.txt", fmt.Sprintf("%x,size=1\n", d.MD5))
	got, err := r.lookup(fmt.Sprintf("%x\n%x\n", e.MD5, d.MD5), "known", "good")
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Collection != "" || got[0].Line != 1 {
		t.Errorf("what is not there: %+v", got[0])
	}
	for _, a := range got[1:] {
		want := map[semblance.SetID]semblance.LookupResult{
			one.ID:  {Kind: "hit", Collection: "known", Owner: "Agency of known", Weak: true, Source: "one.txt", Record: "line 1"},
			two.ID:  {Kind: "hit", Collection: "known", Owner: "Agency of known", Weak: true, Source: "two.txt", Record: "line 1", Note: "again", Size: 1},
			good.ID: {Kind: "known-good", Collection: "good", Owner: "Agency of good", Source: "good.txt", Record: "line 1", Size: 1},
		}[a.Set]
		want.Line, want.Query, want.Algorithm, want.EntryValue, want.Set = 2, fmt.Sprintf("%x", d.MD5), hashing.AlgorithmMD5, fmt.Sprintf("%x", d.MD5), a.Set
		if a != want {
			t.Errorf("got  %+v\nwant %+v", a, want)
		}
	}
}

// A set that cannot be read is an error of whoever looks in it, never a digest that is not found.
func TestADamagedDigestSetIsNoSilence(t *testing.T) {
	r := newRig(t)
	_, dir := r.withSets()
	r.collection("known", semblance.Hashes)
	d := hashing.DigestBytes([]byte("a"))
	s := r.set("known", "one.txt", fmt.Sprintf("%x\n", d.MD5))
	if err := os.Remove(filepath.Join(dir, string(s.ID), "md5.digests")); err != nil {
		t.Fatal(err)
	}
	_, err := r.lookup(fmt.Sprintf("%x\n", d.SHA1), "known")
	wantCode(t, err, semblance.Internal)
	_, err = r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"known"}})
	wantCode(t, err, semblance.Internal)
	r.Sets, r.SetFiles, r.SetRecords = nil, nil, nil
	_, err = r.lookup(fmt.Sprintf("%x\n", d.MD5), "known")
	wantCode(t, err, semblance.Unavailable)
}

func TestDigestSetsComeAndGoWhole(t *testing.T) {
	r := newRig(t)
	_, dir := r.withSets()
	r.collection("known", semblance.Hashes)
	r.collection("faces", semblance.Faces)
	d := hashing.DigestBytes([]byte("a"))
	text := fmt.Sprintf("%x\n%x\n", d.MD5, d.SHA1)
	s := r.set("known", "one.txt", text)
	_, err := r.ImportSet(t.Context(), tester, "known", r.source("renamed.txt", text), nil)
	wantCode(t, err, semblance.Conflict)
	_, err = r.ImportSet(t.Context(), tester, "faces", r.source("one.txt", text), nil)
	wantCode(t, err, semblance.Invalid)
	_, err = r.ImportSet(t.Context(), tester, "known", r.source("nothing.txt", "# nothing\nzz\n"), nil)
	wantCode(t, err, semblance.Invalid)
	_, err = r.RemoveSet(t.Context(), tester, "known", "two.txt")
	wantCode(t, err, semblance.NotFound)
	if _, err := r.RemoveSet(t.Context(), tester, "known", s.ID.Short()); err != nil {
		t.Fatal(err)
	}
	empty := func() {
		t.Helper()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("files are left: %v, %v", left, err)
		}
	}
	empty()
	got, err := r.lookup(fmt.Sprintf("%x\n", d.MD5), "known")
	if err != nil || got[0].Collection != "" {
		t.Errorf("after removal: %+v, %v", got, err)
	}
	r.set("known", "one.txt", text) // and can be imported again
	gone, err := r.DeleteCollection(t.Context(), tester, "known")
	if err != nil || gone.Before != 1 || gone.After != 0 {
		t.Errorf("%+v, %v", gone, err)
	}
	empty()
}

func TestDigestSetsAreCombined(t *testing.T) {
	r := newRig(t)
	r.withSets()
	r.collection("known", semblance.Hashes)
	r.collection("more", semblance.Hashes)
	r.collection("good", semblance.KnownGood)
	md5 := func(s string) string { return fmt.Sprintf("%x\n", hashing.DigestBytes([]byte(s)).MD5) }
	sha1 := func(s string) string { return fmt.Sprintf("%x\n", hashing.DigestBytes([]byte(s)).SHA1) }
	r.set("known", "ab", md5("a")+md5("b"))
	r.set("more", "bc", md5("b")+md5("c")+sha1("c"))
	r.set("good", "a", md5("a"))
	combine := func(into string, op semblance.SetOperation, sets ...string) (semblance.DigestSet, error) {
		return r.CombineSets(t.Context(), tester, into, semblance.SetCombination{Operation: op, Sets: sets})
	}
	s, err := combine("more", semblance.SetUnion, "ab", "bc")
	if err != nil || s.Digests() != 4 || len(s.Sources) != 2 || s.Name != "union of ab, bc" {
		t.Errorf("%+v, %v", s, err)
	}
	got, err := r.lookup(md5("a")+md5("c"), "more")
	if err != nil || len(got) != 3 || got[0].Source != "ab" || got[0].Record != "line 1" || got[0].Set != s.ID || got[1].Source != "bc" || got[2].Source != "bc" {
		t.Errorf("%+v, %v", got, err)
	}
	if s, err := combine("known", semblance.SetDifference, "ab", "a"); err != nil || s.Digests() != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = combine("known", semblance.SetUnion, "ab", "a") // what is harmless is no hit
	wantCode(t, err, semblance.Invalid)
	_, err = combine("good", semblance.SetDifference, "ab", "a") // and what is not is not known-good
	wantCode(t, err, semblance.Invalid)
	_, err = combine("known", semblance.SetDifference, "bc", "ab") // SHA-1 of one only: which are meant?
	wantCode(t, err, semblance.Invalid)
	_, err = combine("known", semblance.SetIntersection, "ab", "ab")
	wantCode(t, err, semblance.Invalid)
	_, err = combine("known", semblance.SetUnion, "ab", "zz")
	wantCode(t, err, semblance.NotFound)
	if s, err := r.CombineSets(t.Context(), tester, "known", semblance.SetCombination{Operation: semblance.SetIntersection, Sets: []string{"bc", "ab"}, Algorithms: []hashing.Algorithm{hashing.AlgorithmMD5}, Name: "both"}); err != nil || s.Digests() != 1 || s.Name != "both" {
		t.Errorf("%+v, %v", s, err)
	}
	_, counts, err := r.CountSets(t.Context(), semblance.SetCombination{Sets: []string{"ab", "bc"}})
	if err != nil || len(counts) != 2 || counts[0].Union != 3 || counts[0].Intersection != 1 || counts[1].Union != 1 || counts[1].Intersection != 0 {
		t.Errorf("%+v, %v", counts, err)
	}
}
