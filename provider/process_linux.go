package provider

import "syscall"

// processAttributes tie a program to the thread that starts it (see Host.starter): the
// kernel kills it when that thread ends. A session of its own keeps the terminal's
// signals away.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
}
