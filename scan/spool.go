package scan

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"semblance"
)

// content is what an entry holds, in a file of ours that has no name: nobody else sees or
// changes it, and it is gone when it is closed.
type content struct {
	file *os.File
	size int64
	err  *semblance.Error // how reading it ended, when not at its end
	free func()
}

// close ends the file; the content is not needed any more.
func (c *content) close() {
	c.file.Close()
	c.free()
}

// A budget bounds the bytes of content that wait for a lane.
type budget struct {
	mu   sync.Mutex
	cond *sync.Cond
	size int64
	used int64
}

func newBudget(size int64) *budget {
	b := &budget{size: size}
	b.cond = sync.NewCond(&b.mu)
	return b
}

// take waits until n bytes are free, or all are, and returns what gives them back.
func (b *budget) take(ctx context.Context, n int64) (func(), error) {
	if n < 0 {
		n = inMemory // not known beforehand
	}
	n = min(max(n, 4096), b.size)
	stop := context.AfterFunc(ctx, func() { b.mu.Lock(); b.cond.Broadcast(); b.mu.Unlock() })
	defer stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.used+n > b.size && ctx.Err() == nil {
		b.cond.Wait()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	b.used += n
	return func() {
		b.mu.Lock()
		b.used -= n
		b.cond.Broadcast()
		b.mu.Unlock()
	}, nil
}

// inMemory is how large content may be that is not written to the disk.
const inMemory = 8 << 20

// errBomb says that no more may come out of a file of the exhibit.
var errBomb = semblance.Errorf(semblance.MediaTooLarge, "the limit is reached")

// A spool takes content: in memory first, in a file without a name when it is large.
type spool struct {
	x    *expansion
	file *os.File
	n    int64
	disk bool
}

func (w *spool) Write(p []byte) (int, error) {
	if !w.x.bomb.take(int64(len(p))) {
		return 0, errBomb
	}
	if !w.disk && w.n+int64(len(p)) > inMemory {
		if err := w.toDisk(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(p)
	w.n += int64(n)
	return n, err
}

func (w *spool) toDisk() error {
	f, err := unnamed(w.x.Spool)
	if err != nil {
		return err
	}
	if _, err = w.file.Seek(0, 0); err == nil {
		_, err = io.Copy(f, w.file)
	}
	if err != nil {
		f.Close()
		return err
	}
	w.file.Close()
	w.file, w.disk = f, true
	return nil
}

// read takes the content of the entry that c gave last. The error ends the container.
func (x *expansion) read(ctx context.Context, c Container, e *semblance.Entry) (*content, error) {
	free, err := x.flight.take(ctx, e.Size)
	if err != nil {
		return nil, err
	}
	f, err := inMemoryFile()
	if err != nil {
		free()
		return nil, notSpooled(err)
	}
	w := &spool{x: x, file: f}
	_, err = c.Copy(w)
	k := &content{file: w.file, size: w.n, free: free}
	var about *semblance.Error
	switch {
	case err == nil:
		return k, nil
	case errors.Is(err, error(errBomb)):
		k.err = x.bomb.error()
		return k, k.err
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &about) && about.Code != semblance.Canceled:
		k.err = about
		return k, nil // when the child is gone, Next says so
	default:
		err = notSpooled(err)
	}
	w.file.Close()
	free()
	return nil, err
}

// notSpooled is about this machine: the container is tried again by the next run.
func notSpooled(err error) *semblance.Error {
	if errors.Is(err, syscall.ENOSPC) {
		return semblance.Errorf(semblance.Unavailable, "the disk of the data folder is full: what this container holds could not be read").
			WithHint("Free some space, and run the scan again.").WithCause(err)
	}
	return semblance.Errorf(semblance.Unavailable, "what this container holds could not be kept for examination").WithCause(err)
}

// unnamed makes a file without a name in a folder.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".spool-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
