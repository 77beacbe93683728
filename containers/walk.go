package containers

import (
	"errors"
	"io"
	"iter"

	"semblance"
)

// An item is an entry and how its content is had. open is asked while the entry is the
// last one given; nil for what has no content.
type item struct {
	semblance.Entry
	open func() (io.Reader, error)
}

// errStopped ends a walk whose caller wants no more.
var errStopped = errors.New("the reader was closed")

// A walker is a Reader made of a function that goes through a container and gives each
// entry to emit as it comes by; whatever emit answers, the function returns. The walk
// stands still between two calls of Next.
type walker struct {
	facts *semblance.ContainerFacts
	next  func() (item, bool)
	stop  func()
	err   error
	last  item
}

func walked(facts *semblance.ContainerFacts, walk func(emit func(item) error) error) Reader {
	w := &walker{facts: facts}
	w.next, w.stop = iter.Pull(func(yield func(item) bool) {
		w.err = walk(func(i item) error {
			if !yield(i) {
				return errStopped
			}
			return nil
		})
	})
	return w
}

func (w *walker) Next() (semblance.Entry, error) {
	var ok bool
	if w.last, ok = w.next(); ok {
		return w.last.Entry, nil
	}
	var sentence *semblance.Error
	switch {
	case w.err == nil || errors.Is(w.err, errStopped):
		return semblance.Entry{}, io.EOF
	case errors.As(w.err, &sentence):
		return semblance.Entry{}, w.err
	}
	return semblance.Entry{}, semblance.Errorf(semblance.MediaDamaged, "the container could not be read to its end").WithCause(w.err)
}

func (w *walker) Open() (io.Reader, error) {
	if w.last.open == nil {
		return nil, semblance.Errorf(semblance.MediaUnsupported, "the entry has no content")
	}
	r, err := w.last.open()
	if err != nil {
		return nil, err
	}
	return damageReader{r, "the file"}, nil
}

func (w *walker) Facts() semblance.ContainerFacts { return *w.facts }

func (w *walker) Close() error {
	w.stop()
	return nil
}

// section is the content of an entry that lies in one piece.
func section(r io.ReaderAt, off, n int64) func() (io.Reader, error) {
	return func() (io.Reader, error) { return io.NewSectionReader(r, off, n), nil }
}
