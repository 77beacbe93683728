package supplied

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance/hashing"
)

func randomBytes(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

// Every kernel says the same as plain Go, at the ends of the ranges as well.
func TestKernels(t *testing.T) {
	t.Parallel()
	if len(kernels()) == 1 {
		t.Log("this build or processor has plain Go only")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, extreme := range []bool{false, true} {
		sketches := randomBytes(r, 5*blockSketch)
		query := [sketchBytes]byte(randomBytes(r, sketchBytes))
		if extreme {
			query = [sketchBytes]byte{}
			for i := range sketches {
				sketches[i] = []byte{0, 1, 2, 127, 128, 129, 255}[r.IntN(7)]
			}
		}
		bounds := []uint32{0, 1, 16 * maxStep * maxStep, 16*maxStep*maxStep - 1, 1 << 30}
		for range 60 {
			bounds = append(bounds, uint32(r.IntN(16*maxStep*maxStep)))
		}
		passed := 0
		for _, limit := range bounds {
			for blocks := range 6 {
				want := make([]uint64, blocks)
				sieveGeneric(sketches, &query, limit, want)
				for _, k := range kernels() {
					got := make([]uint64, blocks)
					sieve(k, sketches, &query, limit, got)
					if !slices.Equal(got, want) {
						t.Fatalf("%s, limit %d, %d blocks: %x, want %x", k, limit, blocks, got, want)
					}
				}
				for _, w := range want {
					if w != 0 && w != ^uint64(0) {
						passed++
					}
				}
			}
		}
		if passed == 0 {
			t.Fatal("the limits let everything or nothing through: nothing was compared")
		}
	}
	for _, n := range []int{16, 32, 144, 1024} {
		const all = 40
		values, query := randomBytes(r, all*n), randomBytes(r, n)
		for i := range n { // as far as can be
			values[i], values[n+i], query[i] = 0, 255, []byte{query[i], 255, 0}[i%3]
		}
		for count := range 20 {
			var rows []int32
			for range count {
				rows = append(rows, int32(r.IntN(all)))
			}
			for _, k := range kernels() {
				got := make([]int32, count)
				squared(k, values, slices.Clip(rows), query, got)
				for i, row := range rows {
					if want := hashing.SquaredEuclid.Distance(values[int(row)*n:][:n], query); int(got[i]) != want {
						t.Fatalf("%s, %d bytes: %d, want %d", k, n, got[i], want)
					}
				}
			}
		}
	}
}

// A sketch never rules out a value that is within the radius, whatever the grouping and
// wherever the bytes differ.
func TestSketchBound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for _, width := range []int{8, 9, 16, 17, 31, 32, 100, 144, 1024} {
		for g := range groupings {
			t.Run(fmt.Sprint(width, "/", g), func(t *testing.T) {
				s := newSketcher(g, width)
				near := 0
				for range 3000 {
					a := randomBytes(r, width)
					b := slices.Clone(a)
					// As an adversary would: many small steps in one direction, in a few groups.
					step, groups := 1+r.IntN(40), 1+r.IntN(sketchBytes)
					for i, group := range s.group {
						if int(group) < groups {
							b[i] = byte(min(255, int(b[i])+r.IntN(step+1)))
						}
					}
					distance := hashing.SquaredEuclid.Distance(a, b)
					x, y := s.sketch(a), s.sketch(b)
					bound := 0
					for i := range x {
						d := min(max(max(int(x[i])-int(y[i]), int(y[i])-int(x[i]))-1, 0), maxStep)
						bound += d * d
					}
					if uint32(bound) > s.limit(distance) {
						t.Fatalf("values at %d are ruled out: %d is above %d", distance, bound, s.limit(distance))
					}
					if 2*bound*s.per > distance {
						near++
					}
				}
				if near == 0 && width >= sketchBytes {
					t.Error("the bound is never within half of the distance: the test does not try it")
				}
			})
		}
	}
}

// The cells of a grouping are 3 by 3 of one number, and all groups are as large.
func TestGroupings(t *testing.T) {
	t.Parallel()
	for _, width := range []int{8, 16, 31, 144, 1024} {
		for g := range groupings {
			counts := map[uint8]int{}
			for _, group := range newSketcher(g, width).group {
				counts[group]++
			}
			for group, n := range counts {
				if n != groupBytes(width) || group >= sketchBytes {
					t.Errorf("grouping %d of %d bytes: group %d has %d", g, width, group, n)
				}
			}
		}
	}
	at := func(row, column, number int) int { return groupCells.groupOf(row*24+column*4+number, 144) }
	if at(0, 0, 1) != at(2, 2, 1) || at(0, 0, 1) == at(0, 3, 1) || at(0, 0, 1) == at(3, 0, 1) || at(0, 0, 1) == at(0, 0, 2) {
		t.Error("cells are not grouped as they lie")
	}
}
