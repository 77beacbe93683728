//go:build !linux

package scan

const noAtime = 0
