package index_test

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index"
)

// fill returns an index of entries in a collection "c", and its query.
func fill(t testing.TB, a hashing.Algorithm, values [][]byte) *index.Hashes {
	t.Helper()
	h := index.NewHashes()
	if err := h.Replace(t.Context(), "c", 1, eachValue(a, values)); err != nil {
		t.Fatal(err)
	}
	return h
}

// eachValue yields entries whose IDs are their places.
func eachValue(a hashing.Algorithm, values [][]byte) iter.Seq2[semblance.HashEntry, error] {
	return func(yield func(semblance.HashEntry, error) bool) {
		for i, v := range values {
			if !yield(semblance.HashEntry{ID: semblance.EntryID(i), Algorithm: a, Value: v}, nil) {
				return
			}
		}
	}
}

// brute is the definition: every value, nothing skipped.
func brute(values [][]byte, q []byte, radius int) []semblance.HashNeighbor {
	var out []semblance.HashNeighbor
	for i, v := range values {
		if d := hamming(v, q); d <= radius {
			out = append(out, semblance.HashNeighbor{Entry: semblance.EntryID(i), Collection: "c", Distance: d})
		}
	}
	slices.SortStableFunc(out, func(a, b semblance.HashNeighbor) int { return a.Distance - b.Distance })
	return out
}

func hamming(a, b []byte) int {
	d := 0
	for ; len(a) >= 8; a, b = a[8:], b[8:] {
		d += bits.OnesCount64(binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b))
	}
	for i := range a {
		d += bits.OnesCount8(a[i] ^ b[i])
	}
	return d
}

// compare demands the oracle's answers and returns how many entries they have.
func compare(t *testing.T, h *index.Hashes, a hashing.Algorithm, values [][]byte, radius int, queries ...[]byte) int {
	t.Helper()
	got, err := h.Search(t.Context(), semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: queries, Radius: radius})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i, q := range queries {
		want := brute(values, q, radius)
		found += len(want)
		if !slices.Equal(got[i], want) {
			t.Fatalf("%x within %d of %d values: %d found, want %d", q, radius, len(values), len(got[i]), len(want))
		}
	}
	return found
}

func random(r *rand.Rand, width int) []byte {
	out := make([]byte, width)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func turn(r *rand.Rand, v []byte, n int) []byte {
	out := slices.Clone(v)
	for _, b := range r.Perm(len(v) * 8)[:n] {
		out[b/8] ^= 1 << (b % 8)
	}
	return out
}

// Planted values lie exactly at the radius and one beyond, and spread their bits
// both anywhere and as evenly over the slots as an adversary would.
func TestHashesAgainstBruteForce(t *testing.T) {
	t.Parallel()
	sizes := []int{0, 1, 2, 1000, 30_000, 200_000}
	switch {
	case testing.Short():
		sizes = sizes[:5]
	case os.Getenv("SEMBLANCE_TEST_LARGE") != "":
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		for _, a := range []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmPHash} {
			t.Run(fmt.Sprint(a, "/", n), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(uint64(n), 1))
				width := a.Bits() / 8
				values := make([][]byte, n)
				for i := range values {
					values[i] = random(r, width)
				}
				radii := []int{0, 1, 4, 5, 16}
				if width == 32 {
					radii = []int{0, 15, 16, 30, 31, 32, 63}
				}
				query := random(r, width)
				for _, radius := range radii {
					values = append(values, turn(r, query, radius), turn(r, query, radius+1), spread(query, radius), spread(query, radius+1))
				}
				h := fill(t, a, values)
				for _, radius := range radii {
					if compare(t, h, a, values, radius, query, values[0], random(r, width)) < 2 {
						t.Fatal("what was planted exactly at the radius was not found")
					}
				}
			})
		}
	}
}

// Every radius, by every kernel, in a batch and alone, among values of which many lie
// around the queries and many share half of their bits.
func TestHashesEveryRadius(t *testing.T) {
	t.Parallel()
	for _, a := range []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmDHash} {
		r := rand.New(rand.NewPCG(17, 1))
		width := a.Bits() / 8
		var values, queries [][]byte
		for range 9 {
			queries = append(queries, random(r, width))
		}
		for range 6_000 {
			v := random(r, width)
			switch r.IntN(4) {
			case 0:
				v = turn(r, queries[r.IntN(len(queries))], r.IntN(65))
			case 1:
				clear(v[:width/2])
			case 2:
				v = turn(r, make([]byte, width), r.IntN(20))
			}
			values = append(values, v)
		}
		queries = append(queries, make([]byte, width))
		h := fill(t, a, values)
		for radius := range 65 {
			kernels := index.HashKernels()
			index.SetHashKernel(h, kernels[radius%len(kernels)], 1+radius%3)
			compare(t, h, a, values, radius, queries...)
			index.CompareAll(h, radius%2 == 0) // one plan for all
			compare(t, h, a, values, radius, queries[radius%10])
		}
	}
}

// spread turns n bits at equal steps, so that every slot has its share.
func spread(v []byte, n int) []byte {
	out := slices.Clone(v)
	total := len(v) * 8
	for i := range n {
		b := i * total / n
		out[b/8] ^= 1 << (b % 8)
	}
	return out
}

// Real hashes are skewed: flat and dark pictures share most bits, and many entries
// have one value.
func TestHashesSkewed(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	flat := make([]byte, 32)
	var values [][]byte
	for range 20_000 {
		values = append(values, flat)
	}
	for range 20_000 { // near flat: within a few bits of each other
		values = append(values, turn(r, flat, r.IntN(24)))
	}
	for range 10_000 { // half of the slots are flat
		values = append(values, append(random(r, 16), flat[:16]...))
	}
	h := fill(t, hashing.AlgorithmPDQ, values)
	for _, radius := range []int{0, 8, 31, 40} {
		compare(t, h, hashing.AlgorithmPDQ, values, radius, flat, turn(r, flat, 31), values[45_000], random(r, 32))
	}
}

// A segment returns an entry once, however many slots find it, whether its tables
// suffice or it gives them up halfway and compares with every value.
func TestSegmentOnce(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 7))
	query := random(r, 32)
	var values [][]byte
	for range 20 {
		values = append(values, turn(r, query, r.IntN(12)))
	}
	for range 50_000 {
		values = append(values, random(r, 32))
	}
	n, planned, probed := index.Count(fill(t, hashing.AlgorithmPDQ, values), "c", query, 31)
	if want := len(brute(values, query, 31)); n != want || !planned || !probed {
		t.Fatalf("%d entries, want %d; planned %v, probed %v", n, want, planned, probed)
	}
	// Values crowd two bits away from the query in every slot, of which 100,000 values have
	// 19 of 13 bits, where the plan cannot see them coming.
	for len(values) < 100_000 {
		v := slices.Clone(query)
		for s := range 19 {
			for _, b := range r.Perm(13)[:2] {
				v[(s*13+b)/8] ^= 0x80 >> ((s*13 + b) % 8)
			}
		}
		values = append(values, v)
	}
	gaveUp := false
	h := fill(t, hashing.AlgorithmPDQ, values)
	for _, radius := range []int{31, 37, 38, 47, 56} {
		n, planned, probed := index.Count(h, "c", query, radius)
		if want := len(brute(values, query, radius)); n != want {
			t.Fatalf("%d entries within %d, want %d", n, radius, want)
		}
		gaveUp = gaveUp || planned && !probed
	}
	if !gaveUp {
		t.Error("no search gave its tables up: the case is not tested")
	}
}

// Segments are merged as an index grows; what is in which must not matter.
func TestHashesGrow(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 9))
	for _, a := range []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmMD5, hashing.AlgorithmAHash} {
		h := index.NewHashes()
		var values [][]byte
		for version := int64(1); len(values) < 60_000; version++ {
			var more []semblance.HashEntry
			for range 1 + r.IntN(7000) {
				v := random(r, a.Bits()/8)
				if r.IntN(3) == 0 && len(values) > 0 {
					v = values[r.IntN(len(values))]
				}
				more = append(more, semblance.HashEntry{ID: semblance.EntryID(len(values)), Algorithm: a, Value: v})
				values = append(values, v)
			}
			if err := h.Update(t.Context(), "c", version, semblance.HashChange{Add: more}); err != nil {
				t.Fatal(err)
			}
			radius := 0
			if !a.IsDigest() {
				radius = 4
			}
			compare(t, h, a, values, radius, values[0], values[len(values)-1], values[r.IntN(len(values))])
		}
	}
}

// FuzzPDQ compares a search with brute force over values and a query that the
// fuzzer writes: mutations of one value, with some random ones to make tables.
func FuzzPDQ(f *testing.F) {
	f.Add([]byte("any thirty-two bytes of a query."), []byte{0, 1, 2, 250, 3, 3}, uint8(31), uint64(1))
	f.Add(make([]byte, 32), []byte{}, uint8(63), uint64(2))
	f.Fuzz(func(t *testing.T, query, turns []byte, radius uint8, seed uint64) {
		if len(query) != 32 {
			return
		}
		r := rand.New(rand.NewPCG(seed, 0))
		var values [][]byte
		v := slices.Clone(query)
		for i, b := range turns[:min(len(turns), 500)] {
			v[(b>>3)%32] ^= 1 << (b & 7)
			if i%5 == 4 {
				v = slices.Clone(v)
			}
			values = append(values, slices.Clone(v))
		}
		for range 5000 {
			values = append(values, turn(r, query, r.IntN(140)))
		}
		compare(t, fill(t, hashing.AlgorithmPDQ, values), hashing.AlgorithmPDQ, values, int(radius), query)
	})
}
