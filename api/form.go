package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"

	"semblance"
)

// A form reads the parts of a multipart body as they come. The standard reader ends
// alike for a form that is whole and for one that was cut off in the headers of a
// part; a form knows the difference by the closing boundary, because a file that is
// silently missing is the worst that can happen to an upload.
type form struct {
	parts *multipart.Reader
	body  *tail
	close []byte // the closing boundary
}

// errFormEnd is the end of a form that is whole.
var errFormEnd = errors.New("the form has ended")

func openForm(r *http.Request) (*form, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, badForm(err)
	}
	b := &tail{r: r.Body}
	return &form{parts: multipart.NewReader(b, params["boundary"]), body: b, close: []byte("--" + params["boundary"] + "--")}, nil
}

// next returns the next part, or errFormEnd.
func (f *form) next() (*multipart.Part, error) {
	p, err := f.parts.NextPart()
	switch {
	case err == nil:
		return p, nil
	case !errors.Is(err, io.EOF):
		return nil, badForm(err)
	}
	if _, err := io.CopyN(io.Discard, f.body, maxEpilogue); !errors.Is(err, io.EOF) {
		return nil, badForm(err)
	}
	if !bytes.Contains(f.body.last, f.close) {
		return nil, badForm(io.ErrUnexpectedEOF)
	}
	return nil, errFormEnd
}

// maxEpilogue is what may follow the closing boundary: a line end, as a rule.
const maxEpilogue = 256

func badForm(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return bodyError(err)
	}
	return semblance.Errorf(semblance.Invalid, "the multipart body cannot be read").WithCause(err)
}

// A tail remembers the last bytes that were read: more than a boundary, which has at
// most 70, and the epilogue.
type tail struct {
	r    io.Reader
	last []byte
}

const tailBytes = 512

// Read implements io.Reader.
func (t *tail) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n >= tailBytes {
		t.last = append(t.last[:0], p[n-tailBytes:n]...)
		return n, err
	}
	t.last = append(t.last, p[:n]...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return n, err
}
