//go:build unix && !linux

package worker

import (
	"os"
	"syscall"
	"time"
)

func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func socketPair() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

// Without Linux there is no cage, and no bounds on CPU time and memory either.
// Report says so.
func cpuTime(int) (time.Duration, bool)          { return 0, false }
func limitMemory(int, int64, int64, int64) error { return nil }
func virtualBytes(int) int64                     { return 0 }
func residentBytes(int) int64                    { return 0 }

func reopenReadOnly(f *os.File) (*os.File, error) { return os.Open(f.Name()) }

type threadState struct{ seccomp, noNewPrivs, caps string }

func readThreads(int) ([]threadState, bool) { return nil, false }
func dataLimit(int) (int64, bool)           { return 0, false }
