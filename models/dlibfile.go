package models

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// dlibReader reads dlib's serialization format (dlib/serialize.h, and the
// serialize functions of dlib/dnn/core.h, input.h and layers.h, versions 19.3 to
// 19.24). It remembers the first error; every read after it returns zero.
type dlibReader struct {
	b   []byte
	off int
	err error
}

var errDlibShort = errors.New("the file ends in the middle of a layer")

func (r *dlibReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// take returns the next n bytes, or nil when there are fewer.
func (r *dlibReader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.off {
		r.err = errDlibShort
		return nil
	}
	b := r.b[r.off : r.off+n]
	r.off += n
	return b
}

// integer reads a control byte (bit 7: negative, low four bits: how many bytes
// follow) and the absolute value, little endian.
func (r *dlibReader) integer() int64 {
	head := r.take(1)
	if head == nil {
		return 0
	}
	size := int(head[0] & 0x0f)
	if head[0]&0x70 != 0 || size == 0 || size > 8 {
		r.fail("byte %d is not the start of a number", r.off-1)
		return 0
	}
	var word [8]byte
	copy(word[:], r.take(size))
	v := binary.LittleEndian.Uint64(word[:])
	if v > math.MaxInt64 {
		r.fail("a number at byte %d is out of range", r.off)
		return 0
	}
	if head[0]&0x80 != 0 {
		return -int64(v)
	}
	return int64(v)
}

// dimension reads an integer that sizes something.
func (r *dlibReader) dimension() int {
	v := r.integer()
	if v < 0 || v > 1<<24 {
		r.fail("a size of %d at byte %d is out of range", v, r.off)
		return 0
	}
	return int(v)
}

// real reads a floating point number: mantissa, then exponent, both integers.
func (r *dlibReader) real() float64 {
	mantissa, exponent := r.integer(), r.integer()
	if exponent < -2000 || exponent > 2000 {
		r.fail("a floating point number at byte %d is not finite", r.off)
		return 0
	}
	return math.Ldexp(float64(mantissa), int(exponent))
}

func (r *dlibReader) boolean() bool {
	b := r.take(1)
	return b != nil && b[0] == '1'
}

// version reads an integer that must lie in lo..hi.
func (r *dlibReader) version(what string, lo, hi int64) int64 {
	v := r.integer()
	if v < lo || v > hi {
		r.fail("%s has version %d, and %d to %d are known", what, v, lo, hi)
	}
	return v
}

// text reads a short string, such as the name of a layer.
func (r *dlibReader) text() string {
	n := r.dimension()
	if n > 64 {
		r.fail("a name of %d bytes at byte %d is out of range", n, r.off)
		return ""
	}
	return string(r.take(n))
}

// name reads a string that must be one of names and returns it.
func (r *dlibReader) name(names ...string) string {
	got := r.text()
	for _, n := range names {
		if got == n {
			return got
		}
	}
	r.fail("a layer says %q where one of %q belongs", got, names)
	return ""
}

// tensor reads a resizable_tensor: version 2, four sizes, float32 values.
// The values are counted against the bytes left before anything is allocated.
func (r *dlibReader) tensor() []float32 {
	r.version("a tensor", 2, 2)
	n := 1
	for range 4 {
		d := r.dimension()
		if d != 0 && n > len(r.b)/d {
			r.fail("a tensor at byte %d is larger than the file", r.off)
			return nil
		}
		n *= d
	}
	if n > (len(r.b)-r.off)/4 {
		r.fail("a tensor at byte %d is larger than the file", r.off)
		return nil
	}
	raw := r.take(4 * n)
	if raw == nil {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		if v := float64(out[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			r.fail("a tensor before byte %d holds a value that is not finite", r.off)
			return nil
		}
	}
	return out
}

// maxDlibSide bounds each dimension of a layer's weights, so that the product of four
// does not overflow.
const maxDlibSide = 1 << 15

// alias reads an alias_tensor: the shape of a part of a tensor.
func (r *dlibReader) alias() [4]int {
	r.version("an alias", 1, 1)
	var d [4]int
	for i := range d {
		if d[i] = r.dimension(); d[i] > maxDlibSide {
			r.fail("a dimension of %d is out of range", d[i])
			return [4]int{}
		}
	}
	return d
}

func (r *dlibReader) reals(n int) {
	for range n {
		r.real()
	}
}
