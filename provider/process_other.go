//go:build !linux

package provider

import "syscall"

func processAttributes() *syscall.SysProcAttr { return nil }
