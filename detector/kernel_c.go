//go:build cgo && native

package detector

/*
#cgo CFLAGS: -O3
#include "kernel.h"
*/
import "C"

import "unsafe"

// sumRows is sumRowsGo in C. The n rows must lie within rows.
func sumRows(sums []uint32, rows []byte, stride int, n int32, head, tail uint32) {
	if len(sums) == 0 || n < 1 {
		return
	}
	_ = rows[int(n-1)*stride+len(sums)-1] // C does not check
	C.semblance_sum_rows((*C.uint32_t)(unsafe.Pointer(&sums[0])), (*C.uint8_t)(unsafe.Pointer(&rows[0])),
		C.size_t(stride), C.size_t(n), C.uint32_t(head), C.uint32_t(tail), C.size_t(len(sums)))
}

// squeeze is squeezeGo in C. Columns must lie within sums; resample sees to it.
// narrow says that no result exceeds 32 bits.
func squeeze(out []uint64, sums []uint32, columns []span, narrow bool) {
	if len(columns) == 0 || len(sums) == 0 {
		clear(out)
		return
	}
	out = out[:3*len(columns)]
	var n C.int
	if narrow && cap(sums) > len(sums) { // pixels are read by four values: there must be one behind the last
		n = 1
	}
	C.semblance_squeeze((*C.uint64_t)(unsafe.Pointer(&out[0])), (*C.uint32_t)(unsafe.Pointer(&sums[0])),
		(*C.semblance_column)(unsafe.Pointer(&columns[0])), C.size_t(len(columns)), n)
}
