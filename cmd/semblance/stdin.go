package main

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// stdin reads the caller's standard input until ctx ends. A read of a terminal or
// a pipe cannot be stopped once it waits; so it waits for input or for the end of
// ctx, and reads only what is there. A server must not go on eating what is typed
// into the terminal of a client that has left.
func (e *env) stdin(ctx context.Context) io.Reader { return &input{ctx: ctx, f: e.in} }

type input struct {
	ctx  context.Context
	f    *os.File
	wake *os.File // readable when ctx has ended
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	if in.wake == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		in.wake = r // closed by the garbage collector
		context.AfterFunc(in.ctx, func() { w.Close() })
	}
	fds := []unix.PollFd{{Fd: int32(in.f.Fd()), Events: unix.POLLIN}, {Fd: int32(in.wake.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case in.ctx.Err() != nil:
			return 0, in.ctx.Err()
		}
		return in.f.Read(p)
	}
}
