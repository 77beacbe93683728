//go:build !noasm

package hashing

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The kernels have the bits of plain Go for every width, and touch nothing else.
func TestKernels(t *testing.T) {
	if !fast {
		t.Skip("this processor has no AVX2")
	}
	r := rand.New(rand.NewPCG(3, 5))
	lumas := newLumaTable()
	for n := range 70 {
		luma := func() float32 { return float32(r.IntN(256)) * (0.299 + r.Float32()) }
		octs := func() []oct {
			out := make([]oct, n)
			for i := range out {
				for k := range out[i] {
					out[i][k] = luma()
				}
			}
			return out
		}
		rows := func() (out [rowsAtOnce][]float32) {
			for k := range out {
				out[k] = make([]float32, n+3)
				for i := range out[k] {
					out[k][i] = luma()
				}
			}
			return out
		}
		clone := func(in [rowsAtOnce][]float32) (out [rowsAtOnce][]float32) {
			for k := range in {
				out[k] = slices.Clone(in[k])
			}
			return out
		}
		equal := func(what string, a, b [rowsAtOnce][]float32) {
			for k := range a {
				if !slices.Equal(a[k], b[k]) {
					t.Fatalf("%s of %d: row %d is\n%v, in plain Go\n%v", what, n, k, a[k], b[k])
				}
			}
		}
		size := float32(1 + r.IntN(99))

		enter, leave, to := octs(), octs(), rows()
		sum := oct{luma(), luma(), luma(), luma(), luma(), luma(), luma(), luma()}
		plainTo, plainSum := clone(to), sum
		boxAlong(enter, leave, size, &sum, to, 2)
		boxAlongGeneric(enter, leave, size, &plainSum, plainTo, 2)
		equal("boxAlong", to, plainTo)
		slid := oct{1, 2, 3, 4, 5, 6, 7, 8}
		plainSlid := slid
		slide(&slid, enter, leave)
		slideGeneric(&plainSlid, enter, leave)
		if sum != plainSum || slid != plainSlid {
			t.Fatalf("sums of %d: %v and %v, in plain Go %v and %v", n, sum, slid, plainSum, plainSlid)
		}

		in, off, sums, out := rows(), rows(), rows()[0][:n], octs()
		plainSums, plainOut := slices.Clone(sums), slices.Clone(out)
		boxDown(out, sums, size, in, off)
		boxDownGeneric(plainOut, plainSums, size, &in, &off, 0)
		if !slices.Equal(out, plainOut) || !slices.Equal(sums, plainSums) {
			t.Fatalf("boxDown of %d columns:\n%v, in plain Go\n%v", n, out, plainOut)
		}

		var pixels [rowsAtOnce][]byte
		for k := range pixels {
			pixels[k] = make([]byte, 3*n)
			for i := range pixels[k] {
				pixels[k][i] = byte(r.Uint32())
			}
		}
		lumaRows(lumas, out, pixels)
		lumaRowsGeneric(lumas, plainOut, &pixels, 0)
		if !slices.Equal(out, plainOut) {
			t.Fatalf("luma of %d columns:\n%v, in plain Go\n%v", n, out, plainOut)
		}
	}
}

// Whole pictures have one hash with the kernels and without.
func TestHashesWithoutKernels(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 13))
	for _, side := range [][2]int{{5, 300}, {64, 64}, {129, 131}, {640, 481}, {777, 40}} {
		p := Pixels{Width: side[0], Height: side[1], Channels: 3, Stride: 3 * side[0], Pix: make([]byte, 3*side[0]*side[1])}
		for i := range p.Pix {
			p.Pix[i] = byte(i/7) + byte(r.IntN(40))
		}
		quick, err := All(p)
		if err != nil {
			t.Fatal(err)
		}
		was := fast
		fast = false
		plain, err := All(p)
		fast = was
		if err != nil {
			t.Fatal(err)
		}
		if quick != plain {
			t.Errorf("%v: with kernels %v, without %v", side, quick, plain)
		}
	}
}
