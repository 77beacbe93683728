//go:build cgo && native

package media

/*
#include "fitrows.h"
*/
import "C"

import (
	"unsafe"

	"semblance"
)

// average is averagePlain, several times faster.
func average(to, f *semblance.Frame) {
	if 255*f.Height*(f.Width/to.Width+1) >= 1<<32 { // the sums would not fit
		averagePlain(to, f)
		return
	}
	sums := make([]uint32, 3*f.Width)
	_ = f.RGB[3*f.Width*f.Height-1]
	_ = to.RGB[3*to.Width*to.Height-1]
	C.sem_fit((*C.uint8_t)(unsafe.SliceData(f.RGB)), C.int64_t(f.Width), C.int64_t(f.Height),
		(*C.uint8_t)(unsafe.SliceData(to.RGB)), C.int64_t(to.Width), C.int64_t(to.Height), (*C.uint32_t)(unsafe.SliceData(sums)))
}
