package worker

import "sync"

// A ring keeps the last bytes that were written to it. It takes everything a
// child prints, so that a child that prints without end neither blocks nor fills
// the parent's memory.
type ring struct {
	mu    sync.Mutex
	buf   []byte
	next  int
	total int64
}

func newRing(size int) *ring { return &ring{buf: make([]byte, size)} }

// Write keeps the end of p and never fails.
func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(p)
	r.total += int64(n)
	if len(p) > len(r.buf) {
		p = p[len(p)-len(r.buf):]
	}
	for len(p) > 0 {
		k := copy(r.buf[r.next:], p)
		p = p[k:]
		r.next = (r.next + k) % len(r.buf)
	}
	return n, nil
}

// Total returns how many bytes were written.
func (r *ring) Total() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// Since returns what was written after the first n bytes, as far as it is kept,
// oldest first.
func (r *ring) Since(n int64) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := append(append([]byte{}, r.buf[r.next:]...), r.buf[:r.next]...)
	want := min(r.total-n, int64(len(kept)))
	return string(kept[int64(len(kept))-want:])
}
