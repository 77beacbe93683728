//go:build cgo && native

package detector

/*
#cgo CFLAGS: -O3
#include "kernel.h"
*/
import "C"

import (
	"math"
	"unsafe"
)

// sumRows is sumRowsGo in C. The n rows must lie within rows.
func sumRows(sums []uint32, rows []byte, stride int, n int32, head, tail uint32) {
	if len(sums) == 0 || n < 1 {
		return
	}
	_ = rows[int(n-1)*stride+len(sums)-1] // C does not check
	C.semblance_sum_rows((*C.uint32_t)(unsafe.Pointer(&sums[0])), (*C.uint8_t)(unsafe.Pointer(&rows[0])),
		C.size_t(stride), C.size_t(n), C.uint32_t(head), C.uint32_t(tail), C.size_t(len(sums)))
}

// squeezePlanes is squeezePlanesGo in C. Columns must lie within sums; resample sees
// to it.
func squeezePlanes(out *[3][]float32, line []uint64, sums []uint32, columns []span, norm float64, most int64) {
	// Pixels are read by four values: there must be one behind the last.
	if len(columns) == 0 || len(sums) == 0 || most > math.MaxInt32 || cap(sums) == len(sums) {
		squeezePlanesGo(out, line, sums, columns, norm, most)
		return
	}
	n := len(columns)
	red, green, blue := out[0][:n], out[1][:n], out[2][:n]
	C.semblance_squeeze_planes((*C.float)(unsafe.Pointer(&red[0])), (*C.float)(unsafe.Pointer(&green[0])), (*C.float)(unsafe.Pointer(&blue[0])),
		(*C.uint32_t)(unsafe.Pointer(&sums[0])), (*C.semblance_column)(unsafe.Pointer(&columns[0])), C.size_t(n), C.int32_t(usual(columns)), C.double(norm))
}

// usual is how many pixels a column in the middle has between its first and last, or
// one less: those of one ratio differ by one at most. The answer does not depend on it.
func usual(columns []span) int32 {
	at := len(columns) / 2
	n := columns[at].n
	for _, c := range columns[at:min(at+8, len(columns))] {
		n = min(n, c.n)
	}
	return max(n-2, 0)
}

// shrinkRow is shrinkRowGo in C. The rows must lie within rows, and out must not be
// longer than line has values for.
func shrinkRow(out, line, rows []float32, stride, count, step int) {
	if len(out) == 0 || len(line) == 0 || count < 1 {
		return
	}
	_, _ = rows[(count-1)*stride+len(line)-1], line[(len(out)-1)*step] // C does not check
	C.semblance_shrink_row((*C.float)(unsafe.Pointer(&out[0])), C.size_t(len(out)), (*C.float)(unsafe.Pointer(&line[0])), (*C.float)(unsafe.Pointer(&rows[0])),
		C.size_t(len(line)), C.size_t(stride), C.size_t(count), C.size_t(step))
}
