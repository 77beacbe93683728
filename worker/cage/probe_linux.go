package cage

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Probe really tries what a caged process must not be able to do and reports what
// came of it. Nothing it does is harmful where it succeeds: the targets are the
// parent's own, the signal is number 0, and what it creates it removes.
func Probe(t Targets) []Finding {
	var found []Finding
	try := func(name string, attempt func() error) {
		err := attempt()
		f := Finding{Name: name, Holds: err != nil, Detail: "it was possible"}
		if err != nil {
			f.Detail = err.Error()
		}
		found = append(found, f)
	}
	if t.TCP != "" {
		try("connect over TCP", func() error { return dial("tcp", t.TCP) })
		try("send over UDP", func() error { return sendUDP(t.TCP) })
	}
	try("listen on TCP", listen)
	if t.Unix != "" {
		try("connect to a Unix socket", func() error { return dial("unix", t.Unix) })
	}
	if t.Abstract != "" {
		try("connect to an abstract Unix socket", func() error { return dial("unix", t.Abstract) })
	}
	if t.File != "" {
		try("read a foreign file", func() error { return readFirst(t.File) })
	}
	if t.Dir != "" {
		try("list a foreign folder", func() error { _, err := os.ReadDir(t.Dir); return err })
		try("write a file", func() error { return create(filepath.Join(t.Dir, "probe")) })
		try("make a folder", func() error { return makeDir(filepath.Join(t.Dir, "probe-dir")) })
	}
	try("write to the temporary folder", func() error { return create(filepath.Join(os.TempDir(), fmt.Sprintf("probe-%d", os.Getpid()))) })
	try("run a program", run)
	if t.Parent != 0 {
		try("signal the parent", func() error { return unix.Kill(t.Parent, 0) })
		try("signal a thread of the parent", func() error { return unix.Tgkill(t.Parent, t.Parent, 0) })
		try("change the parent's limits", func() error {
			var l unix.Rlimit
			return unix.Prlimit(t.Parent, unix.RLIMIT_CORE, nil, &l)
		})
		try("trace the parent", func() error { return trace(t.Parent) })
		try("read the parent's memory", func() error { return peek(t.Parent) })
		try("read the parent's environment", func() error { return readFirst(fmt.Sprintf("/proc/%d/environ", t.Parent)) })
	}
	try("outlive the parent", func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) })
	for _, c := range kernelDoors() {
		try(c.name, func() error { return call(c.number, c.args) })
	}
	return found
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}

func sendUDP(address string) error {
	c, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("probe"))
	return err
}

func listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return l.Close()
}

func readFirst(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Read(make([]byte, 1)); err == io.EOF {
		return nil
	}
	return err
}

func create(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(path)
}

func makeDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Remove(path)
}

func run() error {
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

func trace(pid int) error {
	if err := unix.PtraceSeize(pid); err != nil {
		return err
	}
	return unix.PtraceDetach(pid)
}

// peek reads from address 0 of the process: EFAULT means that the kernel would
// have let it read anywhere else.
func peek(pid int) error {
	buf := make([]byte, 1)
	local := []unix.Iovec{{Base: &buf[0], Len: 1}}
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: 0, Len: 1}}, 0)
	if err == unix.EFAULT {
		return nil
	}
	return err
}

// A door is a system call that has often been the way out of a sandbox. The
// arguments are such that an open door answers with an error of its own, never
// with an effect.
type door struct {
	name   string
	number uintptr
	args   [3]uintptr
}

func kernelDoors() []door {
	const bad = ^uintptr(0) // a descriptor, pointer or flag that no call accepts
	return []door{
		{"use io_uring", unix.SYS_IO_URING_SETUP, [3]uintptr{1, 0, 0}},
		{"use bpf", unix.SYS_BPF, [3]uintptr{bad, 0, 0}},
		{"use userfaultfd", unix.SYS_USERFAULTFD, [3]uintptr{bad, 0, 0}},
		{"use performance events", unix.SYS_PERF_EVENT_OPEN, [3]uintptr{0, bad, bad}},
		{"use keyrings", unix.SYS_KEYCTL, [3]uintptr{bad, 0, 0}},
		{"make namespaces", unix.SYS_UNSHARE, [3]uintptr{0, 0, 0}},
		{"mount", unix.SYS_MOUNT, [3]uintptr{0, 0, 0}},
		{"change its root", unix.SYS_CHROOT, [3]uintptr{0, 0, 0}},
		{"make anonymous files", unix.SYS_MEMFD_CREATE, [3]uintptr{0, bad, 0}},
		{"load kernel modules", unix.SYS_FINIT_MODULE, [3]uintptr{bad, 0, 0}},
		{"open files by handle", unix.SYS_OPEN_BY_HANDLE_AT, [3]uintptr{bad, 0, 0}},
	}
}

// call makes the system call and returns an error only for a refusal: any other
// answer means that the kernel looked at the arguments.
func call(number uintptr, args [3]uintptr) error {
	_, _, e := unix.Syscall(number, args[0], args[1], args[2])
	if e == unix.EPERM || e == unix.ENOSYS || e == unix.EACCES {
		return e
	}
	return nil
}
