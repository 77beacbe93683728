package main

import (
	"errors"
	"fmt"
	"io"

	"semblance"
)

// The exit codes. 2 is left to a crash of the Go runtime.
const (
	exitDone        = 0
	exitFailed      = 1
	exitSomeFailed  = 3   // done, but some items failed; each is reported
	exitInterrupted = 130 // as a shell reports an interrupt
)

// errSomeFailed ends a command that is done but had items that failed, each
// reported already.
var errSomeFailed = errors.New("some items failed")

// errReported ends a command whose failure has been told already.
var errReported = errors.New("already reported")

// errTold ends a command whose failure has been told already, with an exit code.
type errTold int

func (e errTold) Error() string { return fmt.Sprintf("exit code %d, already told", int(e)) }

// errRemote carries the exit code of a command that a server ran.
type errRemote int

func (e errRemote) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCode tells the person what went wrong and what to do, and returns the exit
// code. This is the only place that knows exit codes of errors.
func exitCode(err error, stderr io.Writer) int {
	var remote errRemote
	var told errTold
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &told):
		return int(told)
	case errors.As(err, &remote):
		return int(remote)
	case errors.Is(err, errSomeFailed):
		return exitSomeFailed
	case errors.Is(err, errReported):
		return exitFailed
	}
	fmt.Fprintf(stderr, "semblance: error: %s\n", message(err))
	if hint := semblance.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "semblance: hint: %s\n", hint)
	}
	if semblance.CodeOf(err) == semblance.Canceled {
		return exitInterrupted
	}
	return exitFailed
}

// message is the error's text, with the private cause where the text alone would
// leave a person at the terminal helpless.
func message(err error) string {
	var e *semblance.Error
	if errors.As(err, &e) && e.Code == semblance.Internal && e.Err != nil {
		return fmt.Sprintf("%v (%v)", err, e.Err)
	}
	if semblance.CodeOf(err) == semblance.Canceled && !errors.Is(err, errCanceled) {
		return "interrupted; what was done is kept, and running the command again goes on"
	}
	return err.Error()
}
