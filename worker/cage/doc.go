// Package cage takes from the calling process, for good, whatever code that
// parses hostile bytes has no use for: the file system, the network, other
// processes, new programs, capabilities, and memory without end.
//
// A worker calls [Apply] once, before it reads its first foreign byte, and
// [Probe] when it is asked to prove what holds. The layers are independent:
// Landlock (file system, TCP, abstract Unix sockets, signals), seccomp (an
// allow list of system calls, on every thread), resource limits and
// capabilities. A kernel that lacks one still gets the others, and [Applied] says
// which are there; nothing is claimed that was not done. [Become] closes all of it, or
// does nothing, and then is another program. These functions act on
// the whole process and are called by one goroutine. Outside of Linux nothing
// can be applied, and the answer says so.
package cage

// A Policy is what a caged process may still do.
type Policy struct {
	Read     []string // files that may be opened for reading; missing ones are ignored
	ReadDirs []string // folders below which every file may be opened for reading, such as those of system libraries
	Exec     []string // programs that may be run in place of this one, read included; none: no program can be run
	Memory   int64    // RLIMIT_DATA in bytes; 0 for no limit
	Space    int64    // RLIMIT_AS in bytes; 0 for no limit
	Files    uint64   // open descriptors; 0 for 4096
}

// An Applied says which layers hold, in the words of the layer where one does not.
type Applied struct {
	Landlock     int    `json:"landlock"`               // ABI version in force; 0 for none
	LandlockWhy  string `json:"landlock_why,omitempty"` // why there is none
	Seccomp      bool   `json:"seccomp"`
	SeccompWhy   string `json:"seccomp_why,omitempty"`
	Limits       bool   `json:"limits"`
	LimitsWhy    string `json:"limits_why,omitempty"`
	Capabilities bool   `json:"capabilities"` // true: all were given up
	CapsWhy      string `json:"caps_why,omitempty"`
}

// Targets are what [Probe] tries to reach. The parent makes them, so that it can
// tell a refusal from something that is not there. An empty field is not tried.
type Targets struct {
	TCP      string `json:"tcp,omitempty"`      // loopback listener, "127.0.0.1:4321"
	Unix     string `json:"unix,omitempty"`     // path of a listening Unix socket
	Abstract string `json:"abstract,omitempty"` // name of a listening abstract Unix socket, with its @
	File     string `json:"file,omitempty"`     // a file that must not be readable
	Dir      string `json:"dir,omitempty"`      // a folder where nothing must be written or listed
	Parent   int    `json:"parent,omitempty"`   // a process that must not be signaled or looked into
}

// A Finding is the answer to one attempt.
type Finding struct {
	Name   string `json:"name"`   // what must not be possible, such as "connect over TCP"
	Holds  bool   `json:"holds"`  // true: it was refused
	Detail string `json:"detail"` // the kernel's word, such as "operation not permitted"
}
