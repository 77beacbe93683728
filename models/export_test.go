package models

import "io"

// FailWritesAfter makes every file the library writes fail with err after n bytes,
// like a disk that is full.
func FailWritesAfter(l *Library, n int, err error) {
	l.wrap = func(w io.Writer) io.Writer { return &fullDisk{w, n, err} }
}

type fullDisk struct {
	w    io.Writer
	left int
	err  error
}

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.left {
		n, _ := d.w.Write(p[:d.left])
		d.left = 0
		return n, d.err
	}
	d.left -= len(p)
	return d.w.Write(p)
}
