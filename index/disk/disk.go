// Package disk keeps what the indexes hold in files: folders of files that are written once,
// with a state that is renamed into place, and mapped memory that may fail.
package disk

import (
	"errors"
	"hash/crc32"
	"runtime/debug"
	"unsafe"
)

// ErrDamaged is what is said of bytes that are not those that were written. The
// collection is then not held any more.
var ErrDamaged = errors.New("a file of the index is damaged")

// Castagnoli is the checksum that processors have an instruction for.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Guarded runs f, which reads mapped files. A page that cannot be read, because the
// disk failed or somebody cut the file off, is ErrDamaged instead of the end of the program.
func Guarded(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		if _, fault := r.(interface{ Addr() uintptr }); !fault {
			panic(r)
		}
		err = ErrDamaged
	}()
	return f()
}

// Cast returns memory, which is aligned, as n numbers.
func Cast[T uint16 | uint32 | int32 | float32 | uint64 | int64](b []byte, n int) []T {
	if n == 0 {
		return nil
	}
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(&b[:int(unsafe.Sizeof(t))*n][0])), n)
}

// Aligned returns n zeroed bytes that begin at a multiple of 64.
func Aligned(n int) []byte {
	b := make([]byte, n+63)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & 63
	return b[skip:][:n]
}
