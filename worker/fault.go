package worker

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"semblance"
)

// A fault is the end of a child while it worked.
type fault struct {
	kind   faultKind
	limit  time.Duration // deadline or CPU time; for memory, bytes
	how    string        // for a crash: "signal: segmentation fault"
	err    error         // what the connection said
	output string        // the child's last words
}

type faultKind int

const (
	faultCrash faultKind = iota
	faultDeadline
	faultCPU
	faultMemory
	faultViolation
	faultCanceled
	faultClosed
)

// Error returns everything that is known, for the log.
func (f *fault) Error() string {
	var parts []string
	if f.how != "" {
		parts = append(parts, f.how)
	}
	if f.err != nil {
		parts = append(parts, f.err.Error())
	}
	if f.output != "" {
		parts = append(parts, "last output: "+f.output)
	}
	return "the worker ended: " + strings.Join(parts, "; ")
}

// private returns f as the cause of a public error.
func (f *fault) private() error { return errors.New(f.Error()) }

// public is what a person is told.
func (f *fault) public() *semblance.Error {
	var e *semblance.Error
	switch f.kind {
	case faultDeadline:
		e = semblance.Errorf(semblance.Timeout, "decoding took longer than %s; the worker was replaced", f.limit).
			WithHint("Look at the file by hand, or allow it more time.")
	case faultCPU:
		e = semblance.Errorf(semblance.Timeout, "decoding used more than %s of processor time; the worker was replaced", f.limit).
			WithHint("Look at the file by hand, or allow it more processor time.")
	case faultMemory:
		e = semblance.Errorf(semblance.MediaTooLarge, "decoding needs more than %s of memory; the worker was replaced", megabytes(int64(f.limit))).
			WithHint("Look at the file by hand, or allow a worker more memory.")
	case faultViolation:
		e = semblance.Errorf(semblance.Internal, "the worker's answer to this file was not a valid one; the worker was replaced").
			WithHint("Treat the file as hostile: it may have taken over its decoder.")
	case faultClosed:
		e = semblance.Errorf(semblance.Unavailable, "the workers are being shut down")
	default:
		e = semblance.Errorf(semblance.Internal, "the decoder crashed on this file (%s); the worker was replaced", f.how).
			WithHint("Treat the file as hostile, and look at it by hand.")
	}
	return e.WithCause(f.private())
}

// retriable reports whether an earlier file may be to blame.
func (f *fault) retriable() bool {
	return f.kind == faultCrash || f.kind == faultMemory || f.kind == faultViolation
}

func megabytes(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// outOfMemory reports whether a process says that it died of RLIMIT_DATA: Go, C++,
// OpenCV and the thread library each have words of their own. A hostile child can
// say so too, and gains nothing.
func outOfMemory(output string) bool {
	output = strings.ToLower(output)
	for _, words := range []string{"out of memory", "cannot allocate memory", "bad_alloc", "bad alloc", "insufficient memory",
		"failed to allocate", "pthread_create failed", "failed to create new os thread"} {
		if strings.Contains(output, words) {
			return true
		}
	}
	// Go 1.26's collector does not look whether the kernel gave it its queue.
	return strings.Contains(output, "addr=0x0\n") && strings.Contains(output, "runtime.(*spanqueue).")
}

// goSignal finds the signal in the words of a Go runtime that caught it and left
// with status 2.
func goSignal(output string) string {
	m := goSignals().FindStringSubmatch(output)
	if m == nil {
		return ""
	}
	return map[string]string{"SIGSEGV": "segmentation fault", "SIGBUS": "bus error", "SIGABRT": "abort",
		"SIGFPE": "floating-point exception", "SIGILL": "illegal instruction", "SIGSYS": "bad system call", "SIGTRAP": "trap"}[m[1]]
}

func goSignals() *regexp.Regexp {
	return regexp.MustCompile(`(?m)(?:^|\[signal )(SIG(?:SEGV|BUS|ABRT|FPE|ILL|SYS|TRAP)): `)
}
