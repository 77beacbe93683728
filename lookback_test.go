package semblance_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index/kept"
	"semblance/scan"
	"semblance/store"
)

// A lookbackRig is a rig with exhibits that are scanned from folders.
type lookbackRig struct {
	*rig
	random   *rand.Rand
	pictures []picture
	exhibits []oldExhibit
}

type oldExhibit struct {
	number, label, root string
	against             []string
}

func newLookbackRig(t *testing.T, seed uint64) *lookbackRig {
	t.Helper()
	r := &lookbackRig{rig: newRig(t), random: rand.New(rand.NewPCG(seed, seed))}
	index, err := kept.Open(t.TempDir(), kept.Options{Lanes: 2})
	if err != nil {
		t.Fatal(err)
	}
	r.Kept, r.Lookbacks, r.Removals, r.Notices = index, r.store, r.store, r.store
	if _, err := r.CreateCase(t.Context(), tester, semblance.Case{Number: "C2", Agency: "B", Country: "nl", Purpose: "p2", Basis: "b2"}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *lookbackRig) hash() string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(r.random.Uint32())
	}
	return hex.EncodeToString(b)
}

// exhibit puts pictures into a folder and scans it.
func (r *lookbackRig) exhibit(number, label string, pictures []picture, against ...string) {
	r.t.Helper()
	x := oldExhibit{number: number, label: label, root: r.t.TempDir(), against: against}
	for i, p := range pictures {
		if err := os.WriteFile(filepath.Join(x.root, fmt.Sprintf("%03d", i)), p.bytes(r.t), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.exhibits = append(r.exhibits, x)
	r.scan(x)
}

// scan scans an exhibit with those of its collections that are still there.
func (r *lookbackRig) scan(x oldExhibit) {
	r.t.Helper()
	var names []string
	cols, err := r.store.Collections(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range cols {
		if slices.Contains(x.against, c.Name) {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	plan, err := r.Plan(r.t.Context(), x.number, semblance.PlanOptions{Collections: names})
	if err != nil {
		r.t.Fatal(err)
	}
	s := scan.Scanner{Examiner: r.Engine, Store: r.store, Record: r.store, Plans: r.store, Media: r.store, Audit: r.store}
	sum, err := s.Run(r.t.Context(), scan.Options{Plan: plan, Actor: tester, Label: x.label, Root: x.root, Lanes: 2})
	if err != nil || !sum.Complete {
		r.t.Fatalf("scan %s: %+v, %v", x.label, sum, err)
	}
}

// state is everything that is said of every media in both cases.
func (r *lookbackRig) state() map[string]*semblance.Findings {
	r.t.Helper()
	out := map[string]*semblance.Findings{}
	for _, number := range []string{"C1", "C2"} {
		c, err := r.store.Case(r.t.Context(), number)
		if err != nil {
			r.t.Fatal(err)
		}
		err = r.store.EachItem(r.t.Context(), c.ID, func(v store.ItemView) error {
			out[number+" "+v.Item.SHA256.String()] = v.Findings
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return out
}

func (r *lookbackRig) lookBack(q semblance.LookbackRequest) semblance.LookbackResult {
	r.t.Helper()
	decoded := r.analyzer.decoded
	res, err := r.LookBack(r.t.Context(), tester, q)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.analyzer.decoded != decoded {
		r.t.Errorf("a look-back decoded %d files", r.analyzer.decoded-decoded)
	}
	return res
}

func (r *lookbackRig) notices(number string, after semblance.NoticeID) []semblance.Notice {
	r.t.Helper()
	list, err := r.ListNotices(r.t.Context(), tester, number, semblance.NoticeFilter{After: after, Limit: 10_000})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// world makes pictures around some hashes, and exhibits of both cases that share some of
// them and were compared with different collections.
func (r *lookbackRig) world(pictures int) (around []string) {
	r.collection("known", semblance.Hashes)
	r.collection("strict", semblance.Hashes, func(c *semblance.Collection) { c.PDQDistance, c.PDQQuality = 12, 80 })
	r.collection("good", semblance.KnownGood)
	r.collection("persons", semblance.Faces)
	r.enroll("persons", "somebody", 1)
	for range 8 {
		around = append(around, r.hash())
	}
	r.list("known", "pdq:"+around[0]+"\npdq:"+around[1]+"\n") // pictures that are near at once
	for i := range pictures {
		p := picture{PDQ: bits(r.t, around[i%8], r.random.IntN(45)), Quality: 30 + r.random.IntN(71), Salt: fmt.Sprint(i)}
		if i%5 == 0 {
			p.PDQ, p.Turned = r.hash(), p.PDQ
		}
		if i%7 == 0 {
			p.Faces = [][]float32{{1}}
		}
		if i%3 == 1 {
			p.Inside = bits(r.t, around[(i+3)%8], i%40)
		}
		r.pictures = append(r.pictures, p)
	}
	at := func(part int) []picture { return r.pictures[part*pictures/4 : (part+1)*pictures/4] }
	r.exhibit("C1", "E1", at(0), "known", "good", "persons")
	r.exhibit("C1", "E2", slices.Concat(at(0), at(1)), "strict", "known")
	r.exhibit("C2", "E3", slices.Concat(at(1), at(2)), "strict", "good")
	r.exhibit("C2", "E4", at(3), "known", "strict", "good")
	return around
}

// change adds entries that some pictures hit or are near, and removes some.
func (r *lookbackRig) change(around []string) {
	r.t.Helper()
	digest := func() string {
		p := r.pictures[r.random.IntN(len(r.pictures))]
		d := hashing.DigestBytes(p.bytes(r.t))
		if p.Inside != "" && r.random.IntN(2) == 0 {
			d = hashing.DigestBytes([]byte(p.Inside))
		}
		return []string{hex.EncodeToString(d.MD5[:]), hex.EncodeToString(d.SHA1[:]), hex.EncodeToString(d.SHA256[:])}[r.random.IntN(3)]
	}
	for _, name := range []string{"known", "strict"} {
		var list strings.Builder
		for range 1 + r.random.IntN(3) {
			fmt.Fprintf(&list, "%s\npdq:%s\n", digest(), bits(r.t, around[r.random.IntN(8)], r.random.IntN(30)))
		}
		r.list(name, list.String())
	}
	for _, c := range []string{"known", "strict", "good"} {
		r.dropSome(c)
	}
}

// dropSome removes some entries of a collection.
func (r *lookbackRig) dropSome(name string) {
	c, err := r.store.Collection(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	var ids []semblance.EntryID
	err = r.store.EachEntry(r.t.Context(), c.ID, 0, func(h semblance.HashEntry) error {
		if r.random.IntN(6) == 0 {
			ids = append(ids, h.ID)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(ids) > 0 {
		if _, err := r.RemoveEntries(r.t.Context(), tester, name, semblance.EntryRemoval{IDs: ids}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// check runs a look-back and holds that it gives the findings of a fresh scan, tells
// exactly what it changed, and changes nothing when it is run again.
func (r *lookbackRig) check(what string) (told int) {
	r.t.Helper()
	before := r.state()
	last := map[string]semblance.NoticeID{}
	for _, number := range []string{"C1", "C2"} {
		for _, n := range r.notices(number, 0) {
			last[number] = n.ID
		}
	}
	r.lookBack(semblance.LookbackRequest{})
	after := r.state()
	want := map[string]int{}
	for key := range after {
		number, sum, _ := strings.Cut(key, " ")
		for _, n := range semblance.NoticesOf(before[key], after[key]) {
			want[number+sum+n.What+n.Kind+n.Collection+n.Other+n.Record]++
			told++
		}
	}
	for _, number := range []string{"C1", "C2"} {
		for _, n := range r.notices(number, last[number]) {
			want[number+n.Media.String()+n.What+n.Kind+n.Collection+n.Other+n.Record]--
		}
	}
	for key, n := range want {
		if n != 0 {
			r.t.Errorf("%s: notice %q is %+d off", what, key, n)
		}
	}
	if again := r.lookBack(semblance.LookbackRequest{}); len(again.Collections) != 0 || jsonOf(r.t, r.state()) != jsonOf(r.t, after) {
		r.t.Errorf("%s: a second look-back has something to do: %+v", what, again)
	}
	for _, x := range r.exhibits {
		r.scan(x)
	}
	fresh := r.state()
	for key, f := range fresh {
		if got, want := jsonOf(r.t, after[key]), jsonOf(r.t, f); got != want {
			r.t.Errorf("%s, %s:\nlooked back %s\nfresh scan  %s", what, key, got, want)
		}
	}
	return told
}

func TestLookbackIsAFreshScan(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newLookbackRig(t, seed)
			around := r.world(48)
			told := 0
			for round := range 4 {
				r.change(around)
				told += r.check(fmt.Sprintf("round %d", round))
			}
			if told < 20 {
				t.Errorf("only %d findings changed; the world is too quiet to show anything", told)
			}
		})
	}
}

// TestLookbackAtKnownGood adds what was examined already to a known-good collection: near
// matches of what is known to be harmless go, as a fresh scan would not make them.
func TestLookbackAtKnownGood(t *testing.T) {
	r := newLookbackRig(t, 99)
	r.world(40)
	var list strings.Builder
	for i := 0; i < 40; i += 3 {
		fmt.Fprintf(&list, "%x\n", hashing.DigestBytes(r.pictures[i].bytes(t)).SHA256)
	}
	r.list("good", list.String())
	candidates := 0
	for _, f := range r.state() {
		if f != nil {
			candidates += len(f.Candidates)
		}
	}
	r.lookBack(semblance.LookbackRequest{Collection: "good"})
	after := r.state()
	for _, x := range r.exhibits {
		r.scan(x)
	}
	left := 0
	for key, f := range r.state() {
		if a := after[key]; a != nil {
			left += len(a.Candidates)
			a.Candidates = nil // those of a media that is known-good since stay: no face collection changed
			if f != nil {
				f.Candidates = nil
			}
			if a.Empty() {
				a = nil
			}
			if f.Empty() {
				f = nil
			}
			if got, want := jsonOf(t, a), jsonOf(t, f); got != want {
				t.Errorf("%s:\nlooked back %s\nfresh scan  %s", key, got, want)
			}
		}
	}
	if candidates == 0 || left != candidates {
		t.Errorf("%d of %d candidates are left", left, candidates)
	}
}

// TestLookbackWhereNothingIsKept: a media that was known-good was never decoded. When it is
// not known-good any more, that is said.
func TestLookbackWhereNothingIsKept(t *testing.T) {
	r := newLookbackRig(t, 1)
	r.collection("known", semblance.Hashes)
	r.collection("good", semblance.KnownGood)
	p := picture{PDQ: somePDQ}
	r.list("known", "pdq:"+somePDQ+"\n")
	r.list("good", fmt.Sprintf("%x\n", hashing.DigestBytes(p.bytes(t)).SHA256))
	r.exhibit("C1", "E1", []picture{p}, "known", "good")
	if _, err := r.RemoveEntries(t.Context(), tester, "good", semblance.EntryRemoval{Source: "list.txt"}); err != nil {
		t.Fatal(err)
	}
	res := r.lookBack(semblance.LookbackRequest{})
	list := r.notices("C1", 0)
	if len(list) != 1 || list[0].What != semblance.NoticeWithdrawn || !strings.Contains(list[0].Remark, "never looked at") || res.Collections[0].Lacking != 1 {
		t.Errorf("%+v, notices %+v", res, list)
	}
}

func TestErasedCollectionIsWithdrawn(t *testing.T) {
	r := newLookbackRig(t, 2)
	r.world(40)
	before := r.state()
	if _, err := r.DeleteCollection(t.Context(), tester, "known"); err != nil {
		t.Fatal(err)
	}
	c := r.collection("known", semblance.Hashes) // another one of that name, with which nothing was compared
	r.list("known", "pdq:"+somePDQ+"\n")
	if due, err := r.DueLookbacks(t.Context()); err != nil || len(due.Collections) != 1 || !due.Collections[0].Gone || due.Collections[0].ID == c.ID {
		t.Fatalf("due: %+v, %v", due, err)
	}
	res := r.lookBack(semblance.LookbackRequest{})
	gone := 0
	for key, f := range before {
		if f == nil {
			continue
		}
		gone += len(f.NearMatches)
		for _, n := range f.NearMatches {
			if n.Collection != "known" {
				gone--
			}
		}
		if now := r.state()[key]; now != nil && slices.ContainsFunc(now.NearMatches, func(n semblance.NearMatch) bool { return n.Collection == "known" }) {
			t.Errorf("%s still rests on the erased collection", key)
		}
	}
	if gone == 0 || res.Collections[0].Withdrawn != gone {
		t.Errorf("withdrawn %d, want %d", res.Collections[0].Withdrawn, gone)
	}
	for _, n := range r.notices("C1", 0) {
		if n.Before == nil || n.Finding != nil || n.ItemCount == 0 || len(n.Items) == 0 {
			t.Errorf("notice %+v does not keep what was said and where", n)
		}
	}
	if again := r.lookBack(semblance.LookbackRequest{}); len(again.Collections) != 0 {
		t.Errorf("due again: %+v", again)
	}
}

// TestInterruptedLookback stops after each step, and ends where an uninterrupted one does.
func TestInterruptedLookback(t *testing.T) {
	r := newLookbackRig(t, 3)
	around := r.world(300)
	r.list("known", "pdq:"+strings.Join(around, "\npdq:")+"\n")
	runs, looked := 0, 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		res, err := r.LookBack(ctx, tester, semblance.LookbackRequest{Progress: func(int, int) { cancel() }})
		cancel()
		for _, c := range res.Collections {
			looked += c.Media
		}
		if runs++; err == nil || runs > 100 {
			break
		}
		if !errors.Is(err, context.Canceled) && semblance.CodeOf(err) != semblance.Canceled {
			t.Fatal(err)
		}
	}
	media := 0
	for range r.state() {
		media++
	}
	if runs < 3 || looked > media {
		t.Errorf("%d runs looked at %d media; there are %d", runs, looked, media)
	}
	after := r.state()
	for _, x := range r.exhibits {
		r.scan(x)
	}
	if jsonOf(t, r.state()) != jsonOf(t, after) {
		t.Error("the findings are not those of a fresh scan")
	}
}

// TestLookbackBesideAScan: an exhibit that is being scanned is not said to be up to date.
func TestLookbackBesideAScan(t *testing.T) {
	r := newLookbackRig(t, 4)
	r.collection("known", semblance.Hashes)
	p := picture{PDQ: somePDQ}
	r.exhibit("C1", "E1", []picture{p}, "known")
	r.list("known", "pdq:"+somePDQ+"\n")
	c, err := r.store.Case(t.Context(), "C1")
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := r.store.OpenExhibit(t.Context(), semblance.Exhibit{Case: c.ID, Label: "E1", Source: r.exhibits[0].root}, semblance.AuditEvent{Actor: tester, Action: "scan.start"})
	if err != nil {
		t.Fatal(err)
	}
	res := r.lookBack(semblance.LookbackRequest{})
	if len(res.Collections) != 1 || res.Collections[0].Scanning != 1 || res.Collections[0].Media != 0 {
		t.Errorf("while it is scanned: %+v", res)
	}
	r.store.ReleaseExhibit(x.ID)
	if res := r.lookBack(semblance.LookbackRequest{}); len(res.Collections) != 1 || res.Collections[0].Found != 1 {
		t.Errorf("after the scan: %+v", res)
	}
	if list := r.notices("C1", 0); len(list) != 1 || list[0].What != "new near match on old exhibit" {
		t.Errorf("notices: %+v", list)
	}
}

func TestNoticesAreAcknowledged(t *testing.T) {
	r := newLookbackRig(t, 5)
	around := r.world(40)
	r.list("known", "pdq:"+strings.Join(around, "\npdq:")+"\n")
	r.lookBack(semblance.LookbackRequest{})
	list := r.notices("C1", 0)
	if len(list) < 3 {
		t.Fatalf("%d notices", len(list))
	}
	if n, err := r.AcknowledgeNotices(t.Context(), tester, "C1", list[0].ID, list[0].ID); err != nil || n != 1 {
		t.Errorf("acknowledged %d, %v", n, err)
	}
	other := r.notices("C2", 0)
	_, err := r.AcknowledgeNotices(t.Context(), tester, "C1", list[1].ID, other[0].ID)
	wantCode(t, err, semblance.NotFound)
	open, err := r.ListNotices(t.Context(), tester, "C1", semblance.NoticeFilter{Open: true, Limit: 1000})
	if err != nil || len(open) != len(list)-1 {
		t.Errorf("%d open of %d, %v", len(open), len(list), err)
	}
	if n, err := r.AcknowledgeNotices(t.Context(), tester, "C1"); err != nil || n != len(list)-1 {
		t.Errorf("acknowledged %d, %v", n, err)
	}
	if now := r.notices("C1", 0); now[0].Acknowledged == nil || now[0].AcknowledgedBy != tester.Name || now[0].Finding == nil {
		t.Errorf("after: %+v", now[0])
	}
}
