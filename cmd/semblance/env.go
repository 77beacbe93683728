package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"semblance"
)

// streams are where a command reads and writes, and where its relative paths
// start: the process's own, or those a client handed to the server.
type streams struct {
	in       *os.File
	out, err *os.File
	cwd      string
	actor    string
	environ  []string // SEMBLANCE_* of the caller
}

func localStreams() streams {
	cwd, _ := os.Getwd()
	return streams{in: os.Stdin, out: os.Stdout, err: os.Stderr, cwd: cwd, actor: osActor(), environ: os.Environ()}
}

// osActor is the operating system's user and host.
func osActor() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// An env is the surroundings of one run of one command.
type env struct {
	streams
	cfg    *config
	args   []string // as given, for a server
	json   bool
	quiet  bool
	shared *program // the server's, inside one
}

func (e *env) who() semblance.Actor { return semblance.Actor{Name: e.actor, Via: "cli"} }

// path makes a path of the caller absolute.
func (e *env) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(e.cwd, p)
}

// open opens a file of the caller for reading, with a clear sentence when that
// fails.
func (e *env) open(p string) (*os.File, error) {
	f, err := os.OpenFile(e.path(p), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe nobody writes to must not stop everything
	if err == nil {
		var info os.FileInfo
		switch info, err = f.Stat(); {
		case err != nil:
		case info.IsDir():
			err = semblance.Errorf(semblance.Invalid, "%q is a folder; a file is needed", p)
		case !info.Mode().IsRegular():
			err = semblance.Errorf(semblance.Invalid, "%q is not a regular file", p).WithHint("Pipes and devices are copied into a file first.")
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return f, nil
	}
	switch {
	case os.IsNotExist(err):
		return nil, semblance.Errorf(semblance.Invalid, "%q does not exist", p).WithCause(err)
	case os.IsPermission(err):
		return nil, semblance.Errorf(semblance.Invalid, "%q may not be read by this user", p).WithCause(err)
	}
	return nil, semblance.Errorf(semblance.Invalid, "%q cannot be read", p).WithCause(err)
}

// terminal reports whether a person watches w.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// emit prints one JSON line on standard output.
func (e *env) emit(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = e.out.Write(append(b, '\n'))
	return err
}

// say prints a line for a person on standard output.
func (e *env) say(format string, a ...any) { fmt.Fprintf(e.out, format+"\n", a...) }

// note prints a line for a person on standard error.
func (e *env) note(format string, a ...any) {
	if !e.quiet {
		fmt.Fprintf(e.err, format+"\n", a...)
	}
}

// stored runs f with the program: the server's when this is one or one is
// running on the data folder, else one opened for this command.
func (e *env) stored(ctx context.Context, f func(*program) error) error {
	if e.shared != nil {
		return f(e.shared)
	}
	switch code, ran, err := runRemotely(ctx, e); {
	case err != nil:
		return err
	case ran && code != exitDone:
		return errRemote(code)
	case ran:
		return nil
	}
	p, err := openProgram(ctx, e.cfg, e.note)
	if err != nil {
		return err
	}
	err = f(p)
	if cerr := p.Close(); err == nil {
		err = cerr
	}
	return err
}
