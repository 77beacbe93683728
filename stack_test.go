package semblance_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
)

// A stackedPicture is what decides where a picture is stacked.
type stackedPicture struct {
	sum     semblance.SHA256
	size    int
	pdq     hashing.PDQ
	quality int
}

func newStackRig(t *testing.T, seed uint64) *lookbackRig {
	r := newLookbackRig(t, seed)
	r.StackRecords = r.store
	r.collection("known", semblance.Hashes)
	return r
}

func stacked(t *testing.T, p picture) stackedPicture {
	t.Helper()
	b := p.bytes(t)
	h, _ := hashing.ParsePDQ(p.PDQ)
	return stackedPicture{hashing.DigestBytes(b).SHA256, len(b), h, p.Quality}
}

// stacksByDefinition goes through all pictures, the largest first: one is a representative
// unless an earlier one lies within the distance, and the others are with the nearest.
func stacksByDefinition(t *testing.T, pictures []picture, distance int) map[semblance.SHA256]semblance.SHA256 {
	t.Helper()
	var list []stackedPicture
	for _, p := range pictures {
		list = append(list, stacked(t, p))
	}
	slices.SortFunc(list, func(a, b stackedPicture) int {
		return cmp.Or(cmp.Compare(b.size, a.size), slices.Compare(a.sum[:], b.sum[:]))
	})
	var first []stackedPicture
	near := func(p stackedPicture) (best stackedPicture, ok bool) {
		least := distance + 1
		for _, f := range first {
			if d := f.pdq.Distance(p.pdq); d < least && f.quality >= semblance.StackQuality {
				least, best, ok = d, f, true
			}
		}
		return best, ok && p.quality >= semblance.StackQuality
	}
	for _, p := range list {
		if _, ok := near(p); !ok {
			first = append(first, p)
		}
	}
	out := map[semblance.SHA256]semblance.SHA256{}
	for _, p := range list {
		out[p.sum] = p.sum
		if best, ok := near(p); ok {
			out[p.sum] = best.sum
		}
	}
	return out
}

// stacks reads where every media of a case is.
func (r *lookbackRig) stacks(number string) map[semblance.SHA256]semblance.SHA256 {
	r.t.Helper()
	_, list, err := r.ListStacks(r.t.Context(), tester, semblance.StackRequest{Case: number}, semblance.StackFilter{Limit: 10_000})
	if err != nil {
		r.t.Fatal(err)
	}
	out := map[semblance.SHA256]semblance.SHA256{}
	for _, s := range list {
		full, err := r.ShowStack(r.t.Context(), tester, number, s.Representative)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(full.Members) != s.Media || full.Items != s.Items || full.Gravest != s.Gravest || full.Findings != s.Findings || full.Members[0].Media != s.Representative {
			r.t.Errorf("listed %+v, shown %+v", s, full)
		}
		for _, m := range full.Members {
			out[m.Media] = s.Representative
		}
	}
	return out
}

// crowd makes pictures whose hashes lie in chains around a few: about the distance apart,
// some equal, some of too little quality.
func (r *lookbackRig) crowd(n int) (list []picture) {
	var hashes []string
	for range 4 {
		hashes = append(hashes, r.hash())
	}
	for i := range n {
		h := hashes[r.random.IntN(len(hashes))]
		if r.random.IntN(4) > 0 {
			h = flip(r, h, r.random.IntN(24))
			hashes = append(hashes, h)
		}
		q := 100
		if r.random.IntN(8) == 0 {
			q = 20
		}
		list = append(list, picture{PDQ: h, Quality: q, Salt: strings.Repeat("x", r.random.IntN(6)) + fmt.Sprint(i)})
	}
	return list
}

func flip(r *lookbackRig, h string, n int) string {
	p, _ := hashing.ParsePDQ(h)
	for _, k := range r.random.Perm(256)[:n] {
		p[k/8] ^= 1 << (k % 8)
	}
	return p.String()
}

// TestStacksDependOnTheMediaAlone: however they arrive, and after every arrival, the stacks
// are those of the definition.
func TestStacksDependOnTheMediaAlone(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newStackRig(t, seed+100)
			pictures := r.crowd(70)
			r.random.Shuffle(len(pictures), func(i, j int) { pictures[i], pictures[j] = pictures[j], pictures[i] })
			several := 0
			for n := 0; n < len(pictures); {
				next := min(len(pictures), n+1+r.random.IntN(20))
				r.exhibit("C1", fmt.Sprintf("E%d", n), pictures[n:next], "known")
				n = next
				got, want := r.stacks("C1"), stacksByDefinition(t, pictures[:n], semblance.DefaultStackDistance)
				if !maps.Equal(got, want) {
					t.Fatalf("after %d pictures: %d media in other stacks", n, differ(got, want))
				}
				several = n - len(slices.Compact(slices.SortedFunc(maps.Values(got), func(a, b semblance.SHA256) int { return slices.Compare(a[:], b[:]) })))
			}
			if several < 20 {
				t.Errorf("only %d media are stacked with others; that shows nothing", several)
			}
			s, err := r.StackMedia(t.Context(), tester, semblance.StackRequest{Case: "C1", Fresh: true})
			if err != nil || s.New != len(pictures) || !maps.Equal(r.stacks("C1"), stacksByDefinition(t, pictures, semblance.DefaultStackDistance)) {
				t.Errorf("a fresh run: %+v, %v", s, err)
			}
		})
	}
}

func differ(a, b map[semblance.SHA256]semblance.SHA256) (n int) {
	for k, v := range b {
		if a[k] != v {
			n++
		}
	}
	return n
}

func TestStackDistance(t *testing.T) {
	r := newStackRig(t, 7)
	pictures := []picture{{PDQ: somePDQ, Quality: 100, Salt: "the largest"}, {PDQ: bits(t, somePDQ, 16), Quality: 100, Salt: "near"}, {PDQ: bits(t, somePDQ, 17), Quality: 100, Salt: "far"}}
	r.exhibit("C1", "E1", pictures, "known")
	if s, err := r.StackMedia(t.Context(), tester, semblance.StackRequest{Case: "C1"}); err != nil || s.Stacks != 2 || s.Distance != semblance.DefaultStackDistance {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := r.StackMedia(t.Context(), tester, semblance.StackRequest{Case: "C1", Distance: 17}); err != nil || s.Stacks != 1 || s.New != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := r.StackMedia(t.Context(), tester, semblance.StackRequest{Case: "C1"}); err != nil || s.Stacks != 1 || s.Distance != 17 || s.New != 0 {
		t.Errorf("as before: %+v, %v", s, err)
	}
	_, err := r.StackMedia(t.Context(), tester, semblance.StackRequest{Case: "C1", Distance: 32})
	wantCode(t, err, semblance.Invalid)
}

// TestStacksHideNoFinding: what is found in any member is said of the stack, and such stacks
// come first.
func TestStacksHideNoFinding(t *testing.T) {
	r := newStackRig(t, 8)
	other := r.hash()
	plain := picture{PDQ: other, Quality: 100, Salt: strings.Repeat("y", 50)}
	large, small := picture{PDQ: somePDQ, Quality: 100, Salt: "a large picture"}, picture{PDQ: bits(t, somePDQ, 3), Quality: 100}
	r.exhibit("C1", "E1", []picture{plain, large, small}, "known")
	r.list("known", fmt.Sprintf("%x\n", hashing.DigestBytes(small.bytes(t)).SHA1))
	r.lookBack(semblance.LookbackRequest{})
	_, list, err := r.ListStacks(t.Context(), tester, semblance.StackRequest{Case: "C1"}, semblance.StackFilter{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if s := list[0]; s.Representative != stacked(t, large).sum || s.Gravest != "hit" || s.Findings.Hits != 1 || s.Media != 2 {
		t.Errorf("%+v", s)
	}
	if s := list[1]; s.Gravest != "" || s.Findings != (semblance.StackFindings{}) {
		t.Errorf("%+v", s)
	}
	_, list, err = r.ListStacks(t.Context(), tester, semblance.StackRequest{Case: "C1"}, semblance.StackFilter{Least: 2})
	if err != nil || len(list) != 1 {
		t.Errorf("of two and more: %+v, %v", list, err)
	}
	_, err = r.ShowStack(t.Context(), tester, "C2", stacked(t, large).sum)
	wantCode(t, err, semblance.NotFound)
}
