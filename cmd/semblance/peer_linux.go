package main

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"semblance"
)

// samePerson refuses a peer of another user, root excepted.
func samePerson(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) { cred, cerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return err
	}
	if cerr != nil {
		return cerr
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Getuid() {
		return semblance.Errorf(semblance.Forbidden, "it came from another user's process")
	}
	return nil
}
