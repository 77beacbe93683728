package cage

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Become closes the whole cage and runs a program in place of this one; p.Exec has the
// program. It returns only when it could not: then nothing was run, and the process is
// of no further use. The program is killed when the thread of parent that started this
// process ends.
func Become(p Policy, parent int, program string, args, env []string) error {
	// The kernel keeps the signal for the thread that runs the program, and for no other.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("die with the parent: %w", err)
	}
	if os.Getppid() != parent {
		return errors.New("the parent is gone")
	}
	if a := Apply(p); a.Landlock == 0 || !a.Seccomp || !a.Limits || !a.Capabilities {
		return errors.New(strings.Join(strings.Fields(strings.Join([]string{a.LandlockWhy, a.SeccompWhy, a.LimitsWhy, a.CapsWhy}, " ")), " "))
	}
	return fmt.Errorf("run the program: %w", syscall.Exec(program, args, env))
}
