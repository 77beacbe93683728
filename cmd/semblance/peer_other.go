//go:build !linux

package main

import "net"

// samePerson leaves it to the modes of the folder and the socket.
func samePerson(*net.UnixConn) error { return nil }
