//go:build !noasm

package hashing

import "golang.org/x/sys/cpu"

// fast is a variable for the tests' sake.
var fast = cpu.X86.HasAVX2

// boxAlong is boxAlongGeneric.
func boxAlong(enter, leave []oct, size float32, sum *oct, out [rowsAtOnce][]float32, from int) {
	n := 0
	if fast {
		n = len(enter) &^ 7
	}
	if n > 0 {
		var to [rowsAtOnce]*float32
		for k, row := range out {
			to[k] = &row[from : from+n][0]
		}
		boxAlongAVX2(&enter[0], &leave[:n][0], n, size, sum, &to)
	}
	boxAlongGeneric(enter[n:], leave[n:], size, sum, out, from+n)
}

// slide is slideGeneric.
func slide(sum *oct, enter, leave []oct) {
	if !fast || len(enter) == 0 {
		slideGeneric(sum, enter, leave)
		return
	}
	slideAVX2(sum, &enter[0], &leave[:len(enter)][0], len(enter))
}

// boxDown is boxDownGeneric from column 0 on.
func boxDown(out []oct, sum []float32, size float32, enter, leave [rowsAtOnce][]float32) {
	n := 0
	if fast {
		n = len(sum) &^ 7
	}
	if n > 0 {
		var in, off [rowsAtOnce]*float32
		for k := range in {
			in[k], off[k] = &enter[k][:n][0], &leave[k][:n][0]
		}
		boxDownAVX2(&out[:n][0], &sum[0], n, size, &in, &off)
	}
	boxDownGeneric(out, sum, size, &enter, &leave, n)
}

// lumaRows is lumaRowsGeneric from column 0 on.
func lumaRows(l *lumaTable, dst []oct, rows [rowsAtOnce][]byte) {
	n := 0
	if fast {
		n = len(dst) &^ 7
	}
	if n > 0 {
		var from [rowsAtOnce]*byte
		for k, row := range rows {
			from[k] = &row[:3*n][0]
		}
		lumaRowsAVX2(&dst[0], &from, n)
	}
	lumaRowsGeneric(l, dst, &rows, n)
}

// Those of n take multiples of 8, but slideAVX2.

//go:noescape
func boxAlongAVX2(enter, leave *oct, n int, size float32, sum *oct, out *[rowsAtOnce]*float32)

//go:noescape
func slideAVX2(sum, enter, leave *oct, n int)

//go:noescape
func boxDownAVX2(out *oct, sum *float32, n int, size float32, enter, leave *[rowsAtOnce]*float32)

//go:noescape
func lumaRowsAVX2(dst *oct, rows *[rowsAtOnce]*byte, n int)
