package index

// fewBits are the masks of up to two bits, of which nearly all look-ups are.
var fewBits = func() (out [maxSlotBits + 1][3][]uint32) {
	for width := range out {
		for n := range out[width] {
			for m := range masks(width, n) {
				out[width][n] = append(out[width][n], m)
			}
		}
	}
	return out
}()

// masks yields every number below 1<<width with n bits set, ascending (HAKMEM 175).
func masks(width, n int) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		if n == 0 {
			yield(0)
			return
		}
		for m := uint64(1)<<n - 1; m < 1<<width; {
			if !yield(uint32(m)) {
				return
			}
			low := m & -m
			next := m + low
			m = (next^m)>>2/low | next
		}
	}
}

// chunked yields what a sequence of masks does, a thousand at a time.
func chunked(masks func(yield func(uint32) bool)) func(yield func([]uint32) bool) {
	return func(yield func([]uint32) bool) {
		some := make([]uint32, 0, 1024)
		for m := range masks {
			if some = append(some, m); len(some) == cap(some) {
				if !yield(some) {
					return
				}
				some = some[:0]
			}
		}
		if len(some) > 0 {
			yield(some)
		}
	}
}
