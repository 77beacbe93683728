package cage

import (
	"fmt"
	"os"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// allowed is every system call that decoding, ONNX Runtime, OpenCV, dlib, glibc
// and the Go runtime make once they are running. It is a list of what may be
// done, not of what may not: a call that a later kernel invents is refused, and
// so are all calls through the 32-bit entry, which a deny list by name would let
// through. Sockets can be read and written, not made.
func allowed() []string {
	return []string{
		// descriptors that are already open, and files that Landlock lets be read
		"read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "recvmsg", "recvfrom", "close", "lseek",
		"open", "openat", "fcntl", "ioctl", "dup", "dup2", "dup3", "pipe", "pipe2", "fadvise64", "readahead",
		"fstat", "newfstatat", "stat", "lstat", "statx", "fstatfs", "statfs", "access", "faccessat", "faccessat2",
		"readlink", "readlinkat", "getdents64", "getcwd", "shutdown",
		// waiting
		"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2", "poll", "ppoll", "select", "pselect6",
		"nanosleep", "clock_nanosleep", "futex", "futex_waitv", "restart_syscall", "sched_yield",
		// memory
		"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "brk", "msync", "membarrier", "mbind", "get_mempolicy", "set_mempolicy",
		// threads of this process; clone and clone3 are narrowed below
		"clone", "clone3", "exit", "exit_group", "gettid", "getpid", "getppid", "set_tid_address", "set_robust_list", "get_robust_list", "rseq",
		"sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "getcpu",
		"arch_prctl", "prctl", "prlimit64", "getrlimit", "getrusage", "getuid", "geteuid", "getgid", "getegid",
		// signals to itself
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "sigaltstack", "tgkill", "tkill", "kill",
		"setitimer", "getitimer", "timer_create", "timer_settime", "timer_delete", "timer_gettime",
		// the time and the machine
		"clock_gettime", "clock_getres", "gettimeofday", "time", "times", "uname", "sysinfo", "getrandom",
	}
}

// A narrowing refuses one system call of the list when its arguments ask for too
// much. Each is a filter of its own: the kernel takes the strictest answer of
// all filters, and the assembler does not reload the call's number after it has
// looked at an argument, so that a list of conditions in one filter could be
// fooled by an argument that equals a later call's number.
type narrowing struct {
	call   string
	refuse []seccomp.Condition // all must hold
	errno  uint32
}

func narrowings(pid int) []narrowing {
	self := uint64(pid)
	not := func(arg uint32, values ...uint64) (cs []seccomp.Condition) {
		for _, v := range values {
			cs = append(cs, seccomp.Condition{Argument: arg, Operation: seccomp.NotEqual, Value: v})
		}
		return cs
	}
	const writing = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC | unix.O_APPEND
	return []narrowing{
		// A new thread, never a new process.
		{"clone", []seccomp.Condition{{Argument: 0, Operation: seccomp.BitsNotSet, Value: unix.CLONE_THREAD}}, uint32(unix.EPERM)},
		// clone3 hides its flags in memory; glibc falls back to clone on ENOSYS.
		{"clone3", nil, uint32(unix.ENOSYS)},
		{"open", []seccomp.Condition{{Argument: 1, Operation: seccomp.BitsSet, Value: writing}}, uint32(unix.EACCES)},
		{"openat", []seccomp.Condition{{Argument: 2, Operation: seccomp.BitsSet, Value: writing}}, uint32(unix.EACCES)},
		{"kill", not(0, self), uint32(unix.EPERM)},
		{"tgkill", not(0, self), uint32(unix.EPERM)},
		// tkill takes a thread of any process.
		{"tkill", nil, uint32(unix.EPERM)},
		{"prlimit64", not(0, 0, self), uint32(unix.EPERM)},
		// Is it a terminal? How much is there to read? Nothing that changes a file.
		{"ioctl", not(1, unix.TCGETS, unix.TIOCINQ), uint32(unix.ENOTTY)},
		{"prctl", not(0, unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_SET_VMA), uint32(unix.EPERM)},
		{"fcntl", not(1, unix.F_GETFL, unix.F_SETFL, unix.F_GETFD, unix.F_SETFD, unix.F_DUPFD, unix.F_DUPFD_CLOEXEC), uint32(unix.EPERM)},
	}
}

// filterSyscalls installs the filters on every thread. The allow list comes last
// because it refuses seccomp itself. With exec, a program can be run in place of this
// one; which one, Landlock decides.
func filterSyscalls(exec bool) error {
	machine, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("system calls of this machine are not known: %w", err)
	}
	for _, n := range narrowings(os.Getpid()) {
		if _, ok := machine.SyscallNames[n.call]; !ok {
			continue
		}
		if err := load(seccomp.ActionAllow, n.group()); err != nil {
			return fmt.Errorf("narrow %s: %w", n.call, err)
		}
	}
	var names []string
	calls := allowed()
	if exec {
		calls = append(calls, "execve")
	}
	for _, name := range calls {
		if _, ok := machine.SyscallNames[name]; ok { // arm64 has no open, pipe, ...
			names = append(names, name)
		}
	}
	return load(seccomp.ActionErrno, seccomp.SyscallGroup{Names: names, Action: seccomp.ActionAllow})
}

func (n narrowing) group() seccomp.SyscallGroup {
	g := seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(n.errno)}
	if n.refuse == nil {
		g.Names = []string{n.call}
	} else {
		g.NamesWithCondtions = []seccomp.NameWithConditions{{Name: n.call, Conditions: n.refuse}}
	}
	return g
}

func load(otherwise seccomp.Action, g seccomp.SyscallGroup) error {
	return seccomp.LoadFilter(seccomp.Filter{
		Flag:   seccomp.FilterFlagTSync, // every thread
		Policy: seccomp.Policy{DefaultAction: otherwise, Syscalls: []seccomp.SyscallGroup{g}},
	})
}
