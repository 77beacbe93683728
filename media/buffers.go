package media

import "sync"

// buffers keeps the memory of closed pictures for the next ones: a photograph's
// bytes and pixels are tens of megabytes, and having the kernel clear them anew for
// every file costs a tenth of the decoding. What comes out is dirty: only what
// writes every byte that it hands on may use it.
var buffers sync.Pool

// borrow returns n bytes of any content.
func borrow(n int) []byte {
	if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}

// giveBack keeps b for another picture. Large ones are left to the collector: a
// worker that met one poster should not hold its memory.
func giveBack(b []byte) {
	const most = 64 << 20
	if cap(b) > 0 && cap(b) <= most {
		b = b[:0]
		buffers.Put(&b)
	}
}
