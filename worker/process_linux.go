package worker

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processAttributes tie a child to the thread that starts it (see Pool.starter):
// the kernel kills it when that thread ends, even when nobody is left to read
// its answer. A session of its own keeps the terminal's signals away.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "parent"), nil
}

// cpuTime returns the processor time a process of ours has used.
func cpuTime(pid int) (time.Duration, bool) {
	// The kernel's encoding of another process's CPU clock; see
	// clock_getcpuclockid(3).
	const scheduler = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// limitMemory sets the limits of a child from outside, where the child has no say.
// The hard limits stay at what most allows, so that a later file can have more
// again. idle is the child's address space when it had done nothing yet.
//
// The data limit alone does not hold: the kernel does not count memory that is
// first reserved without rights and then mapped over, which is how Go's heap
// grows, and how a child that was taken over could. The address space bounds that
// too; it needs room for what is only reserved.
func limitMemory(pid int, bytes, most, idle int64) error {
	const reserved = 512 << 20 // arenas of Go and glibc, thread stacks, mapped models and libraries
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: uint64(bytes), Max: uint64(most)}, nil); err != nil {
		return err
	}
	space := uint64(idle + reserved)
	return unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: space + uint64(bytes), Max: space + uint64(most)}, nil)
}

// residentBytes returns the resident size of a process, 0 when it is not known.
func residentBytes(pid int) int64 { return statm(pid, 1) }

// virtualBytes returns the size of a process's address space, 0 when it is not known.
func virtualBytes(pid int) int64 { return statm(pid, 0) }

// statm returns a field of proc(5), statm.
func statm(pid, field int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) <= field {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[field]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// reopenReadOnly gives a child a description of its own: it can neither write nor
// move the caller's position in the file. Where the file is ours, reading leaves
// its access time alone. The caller closes it.
func reopenReadOnly(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var out *os.File
	ctlErr := raw.Control(func(fd uintptr) {
		path := fmt.Sprintf("/proc/self/fd/%d", fd)
		if out, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOATIME, 0); err == nil {
			return
		}
		if out, err = os.OpenFile(path, os.O_RDONLY, 0); err == nil {
			return
		}
		// No /proc, or no right to open the file again. What is already read-only
		// can be handed over as it is: a child reads with pread.
		flags, e := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if e != nil || flags&unix.O_ACCMODE != unix.O_RDONLY {
			return
		}
		var dup int
		if dup, e = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); e == nil {
			out, err = os.NewFile(uintptr(dup), f.Name()), nil
		}
	})
	if ctlErr != nil {
		return nil, ctlErr
	}
	return out, err
}

// A threadState is what the kernel says about one thread of a child.
type threadState struct {
	seccomp    string // "2": filtered
	noNewPrivs string // "1"
	caps       string // effective, permitted and bounding sets in hex
}

// readThreads asks the kernel, not the child, what holds for each of its threads.
func readThreads(pid int) (threads []threadState, ok bool) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil, false
	}
	for _, task := range tasks {
		b, err := os.ReadFile(dir + "/" + task.Name() + "/status")
		if err != nil {
			continue // the thread has ended
		}
		var t threadState
		for line := range bytes.Lines(b) {
			key, value, _ := bytes.Cut(line, []byte(":"))
			switch v := string(bytes.TrimSpace(value)); string(key) {
			case "Seccomp":
				t.seccomp = v
			case "NoNewPrivs":
				t.noNewPrivs = v
			case "CapEff", "CapPrm", "CapInh", "CapAmb":
				t.caps += v
			}
		}
		threads = append(threads, t)
	}
	return threads, len(threads) > 0
}

// dataLimit returns the soft limit on a child's data, as the kernel has it.
func dataLimit(pid int) (int64, bool) {
	var l unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_DATA, nil, &l); err != nil || l.Cur == unix.RLIM_INFINITY {
		return 0, false
	}
	return int64(l.Cur), true
}
