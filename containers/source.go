package containers

import (
	"errors"
	"io"

	"semblance"
)

// A source remembers that the disk did not give what was asked for, which formats take
// for damage: the bytes may be all right, and are asked for again when the next run goes
// through the container.
type source struct {
	failed error // since it was last asked
	ever   bool
}

// parts returns the parts as the source sees them.
func (s *source) parts(from []Part) []Part {
	to := make([]Part, len(from))
	for i, p := range from {
		to[i] = Part{Name: p.Name, R: &sourced{p.R, s}, Size: p.Size}
	}
	return to
}

// take returns what a failure is when the disk was its cause, and forgets that.
func (s *source) take(err error) error {
	cause := s.failed
	s.failed = nil
	if cause == nil || err == nil || err == io.EOF {
		return err
	}
	what := "the content cannot be read"
	var e *semblance.Error
	if errors.As(err, &e) {
		what = e.Msg
	}
	return semblance.Errorf(semblance.Unavailable, "%s: %s", what, diskError).WithCause(cause)
}

const diskError = "the disk reports an input/output error"

type sourced struct {
	r io.ReaderAt
	s *source
}

func (r *sourced) ReadAt(b []byte, off int64) (int, error) {
	n, err := r.r.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		r.s.failed, r.s.ever = err, true
	}
	return n, err
}

// Seek tells where the holes of a file are, if it is one.
func (r *sourced) Seek(offset int64, whence int) (int64, error) {
	if s, ok := r.r.(io.Seeker); ok {
		return s.Seek(offset, whence)
	}
	return 0, errors.ErrUnsupported
}

// A careful reader tells damage from a disk that fails.
type careful struct {
	Reader
	s *source
}

func (c *careful) Next() (semblance.Entry, error) {
	c.s.failed = nil // that was another entry's
	e, err := c.Reader.Next()
	if err == io.EOF && c.s.ever {
		return e, semblance.Errorf(semblance.Unavailable, "not all of it could be read: %s", diskError).
			WithHint("Scan again, or copy the disk with a tool that goes on after errors, like ddrescue, and scan the copy.")
	}
	if err == nil && e.Code != "" && c.s.failed != nil {
		e.Code, e.Reason = semblance.Unavailable, e.Reason+": "+diskError
	}
	return e, c.s.take(err)
}

func (c *careful) Open() (io.Reader, error) {
	r, err := c.Reader.Open()
	if err != nil {
		return nil, c.s.take(err)
	}
	return &carefulContent{r, c.s}, nil
}

type carefulContent struct {
	r io.Reader
	s *source
}

func (c *carefulContent) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, c.s.take(err)
}
