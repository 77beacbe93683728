package index

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance/index/disk"
)

// Every kernel lets through what the definition does.
func TestSift(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	halves := make([]uint16, 5000)
	body := disk.Aligned(2 * len(halves))
	for i := range halves {
		halves[i] = uint16(r.Uint32())
		binary.NativeEndian.PutUint16(body[2*i:], halves[i])
	}
	for round := range 200 {
		var spans []span
		masks := 0
		for range r.IntN(60) {
			n := r.IntN(100)
			if r.IntN(10) == 0 {
				n = r.IntN(3000)
			}
			s := span{at: uint32(r.IntN(len(halves) - n + 1)), n: uint32(n), query: uint16(r.Uint32()), quota: uint16(r.IntN(18)), slot: 7}
			spans = append(spans, s)
			masks += s.masks()
		}
		var want []uint32
		for _, s := range spans { // the definition
			for j := range int(s.n) {
				if j%32 == 0 {
					want = append(want, 0)
				}
				if bits.OnesCount16(halves[int(s.at)+j]^s.query) <= int(s.quota) {
					want[len(want)-1] |= 1 << (j % 32)
				}
			}
		}
		for _, k := range hashKernels() {
			got := make([]uint32, masks)
			sift(k, body, spans, got)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, %s: %x, want %x", round, k, got, want)
			}
		}
	}
}

// Every kernel finds the same heads as plain Go.
func TestCompareHeads(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	const blocks = 5
	heads := make([]uint64, blocks*2*headRows)
	for i := range heads {
		heads[i] = r.Uint64()
	}
	for n := 1; n <= needleTile; n++ {
		for _, radius := range []int{0, 1, 50, 60, 64, 128} {
			t.Run(fmt.Sprint(n, "/", radius), func(t *testing.T) {
				var needles [needleTile][2]uint64
				for j := range n {
					i := r.IntN(blocks * headRows)
					needles[j] = [2]uint64{heads[2*i], heads[2*i+1] ^ uint64(j&1)} // one is there, or 1 off
				}
				want := make([]uint64, blocks*needleTile)
				compareGeneric(heads, blocks, &needles, n, radius, want)
				for _, k := range hashKernels() {
					got := make([]uint64, len(want))
					compareHeads(k, heads, blocks, &needles, n, radius, got)
					for i := range got {
						if i%needleTile >= n {
							got[i] = 0 // a needle that is not there
						}
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%s: %x, want %x", k, got, want)
					}
				}
			})
		}
	}
}

// What a merged segment says of the past is what a catalog keeps.
func TestPackRows(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for _, rows := range []int{1, 64, 65, 1000} {
		for _, n := range []int{0, 1, rows / 2, rows} {
			set := newRowSet(rows)
			for _, row := range r.Perm(rows)[:n] {
				set[row/64] |= 1 << (row % 64)
			}
			got, err := unpackRows(packRows(set), rows)
			if err != nil || got.len() != n || n > 0 && !slices.Equal(got, set) {
				t.Fatalf("%d of %d rows: %v, %v", n, rows, got, err)
			}
			if n == rows && rows > 1 {
				if _, err := unpackRows(packRows(set), rows-1); err == nil {
					t.Fatal("a row beyond the end was taken")
				}
			}
		}
	}
}
