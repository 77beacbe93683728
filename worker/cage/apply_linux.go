package cage

import (
	"fmt"
	"runtime/debug"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Apply gives up everything p does not name. It cannot be undone. The order
// matters: each layer still needs what a later one takes away.
func Apply(p Policy) Applied {
	var a Applied
	a.LimitsWhy = why(limit(p))
	a.Limits = a.LimitsWhy == ""
	a.CapsWhy = why(dropCapabilities())
	a.Capabilities = a.CapsWhy == ""
	// Both Landlock and seccomp demand it of who is not root.
	psx.Syscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	a.Landlock, a.LandlockWhy = restrictPaths(p)
	a.SeccompWhy = why(filterSyscalls(len(p.Exec) > 0))
	a.Seccomp = a.SeccompWhy == ""
	return a
}

func why(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// defaultFiles is as many as the segments of an image of several terabytes.
const defaultFiles = 4096

func limit(p Policy) error {
	files := p.Files
	if files == 0 {
		files = defaultFiles
	}
	var now unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_NOFILE, nil, &now); err == nil {
		files = min(files, now.Max)
	}
	limits := []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_CORE, 0}, // a core dump would hold the pictures
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_NOFILE, files},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
	}
	if p.Memory > 0 {
		// Not RLIMIT_AS: a process linked with OpenCV and ONNX Runtime has
		// gigabytes of address space before its first picture.
		limits = append(limits, struct {
			what  int
			value uint64
		}{unix.RLIMIT_DATA, uint64(p.Memory)})
		// Collect garbage rather than run into the limit.
		debug.SetMemoryLimit(p.Memory * 3 / 4)
	}
	if p.Space > 0 {
		limits = append(limits, struct {
			what  int
			value uint64
		}{unix.RLIMIT_AS, uint64(p.Space)})
	}
	for _, l := range limits {
		if err := unix.Prlimit(0, l.what, &unix.Rlimit{Cur: l.value, Max: l.value}, nil); err != nil {
			return fmt.Errorf("set resource limit %d to %d: %w", l.what, l.value, err)
		}
	}
	return nil
}

// lastCapability is higher than any capability of today's kernels (40); dropping
// one that does not exist is EINVAL and ends the loop.
const lastCapability = 63

// dropCapabilities empties the bounding, ambient, effective, permitted and
// inheritable sets on every thread. Without privileges the bounding set cannot
// be changed, and does not matter under no_new_privs.
func dropCapabilities() error {
	for c := uintptr(0); c <= lastCapability; c++ {
		_, _, e := psx.Syscall3(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		if e == unix.EINVAL || e == unix.EPERM {
			break
		}
		if e != 0 {
			return fmt.Errorf("drop capability %d from the bounding set: %w", c, syscall.Errno(e))
		}
	}
	psx.Syscall6(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0)
	if e := setNoCapabilities(); e != 0 {
		return fmt.Errorf("give up all capabilities: %w", e)
	}
	return nil
}

// restrictPaths closes the file system but for what p names. A path that cannot
// be allowed must not leave everything open: then nothing is allowed at all.
func restrictPaths(p Policy) (abi int, why string) {
	abi = landlockABI()
	if abi == 0 {
		return 0, "this kernel has no Landlock, or it is not enabled at boot"
	}
	best := landlock.V11.BestEffort()
	err := best.Restrict(
		landlock.PathAccess(ll.AccessFSReadFile, p.Read...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSReadDir, p.ReadDirs...).IgnoreIfMissing(),
		landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSExecute, p.Exec...).IgnoreIfMissing(),
	)
	if err == nil {
		return abi, ""
	}
	if again := best.Restrict(); again != nil {
		return 0, again.Error()
	}
	return abi, "no file can be opened, because the rules for some could not be made: " + err.Error()
}

// landlockABI returns the Landlock version of the kernel, 0 when there is none.
func landlockABI() int {
	v, err := ll.LandlockGetABIVersion()
	if err != nil || v < 0 {
		return 0
	}
	return v
}
