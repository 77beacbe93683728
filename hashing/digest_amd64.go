//go:build !noasm

package hashing

import "golang.org/x/sys/cpu"

// together says that the three digests are made side by side. A variable for the
// tests' sake.
var together = cpu.X86.HasSSE41 && cpu.X86.HasSSSE3 && cpu.X86.HasAVX2 && hasSHA()

// hasSHA reports whether the processor has SHA instructions; it must have CPUID's leaf
// 7, as all with AVX2 do.
func hasSHA() bool

// digestBlocks moves the states over blocks of 64 bytes, one at least.
//
//go:noescape
func digestBlocks(md5 *[4]uint32, sha1 *[5]uint32, sha256 *[8]uint32, p *byte, blocks int)
