package api

import (
	"bytes"
	"io"
	"sync"
)

// aheadBytes is how far a lookup is read ahead of its answers: a client that sends
// everything before it reads anything (most do) must not wait for itself. It is
// some 250,000 SHA-256 lines; beyond it, answers have to be read.
const aheadBytes = 16 << 20

// A readAhead reads a body on its own goroutine into bounded memory.
type readAhead struct {
	mu   sync.Mutex
	cond *sync.Cond
	buf  bytes.Buffer
	err  error // of the body, io.EOF at its end
	left bool  // nobody reads any more
	done chan struct{}
}

func newReadAhead(body io.Reader) *readAhead {
	a := &readAhead{done: make(chan struct{})}
	a.cond = sync.NewCond(&a.mu)
	go a.fill(body)
	return a
}

func (a *readAhead) fill(body io.Reader) {
	defer close(a.done)
	chunk := make([]byte, 32<<10)
	for {
		n, err := body.Read(chunk)
		a.mu.Lock()
		a.buf.Write(chunk[:n])
		a.err = err
		a.cond.Broadcast()
		for a.buf.Len() >= aheadBytes && !a.left {
			a.cond.Wait()
		}
		stop := a.left || err != nil
		a.mu.Unlock()
		if stop {
			return
		}
	}
}

// Read returns what was read ahead, and waits when nothing was.
func (a *readAhead) Read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.buf.Len() == 0 && a.err == nil {
		a.cond.Wait()
	}
	if a.buf.Len() == 0 {
		return 0, a.err
	}
	n, _ := a.buf.Read(p)
	a.cond.Broadcast()
	return n, nil
}

// close ends the reading; unblock interrupts a read that waits for the caller. The
// body may not be read after the handler has returned.
func (a *readAhead) close(unblock func()) {
	a.mu.Lock()
	a.left = true
	ended := a.err != nil
	a.cond.Broadcast()
	a.mu.Unlock()
	if !ended {
		unblock()
	}
	<-a.done
}
