package main

import (
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// cpuClass names what decides which kernels ONNX Runtime and dlib choose: runs on
// processors of one class give the same bytes.
func cpuClass() string {
	switch runtime.GOARCH {
	case "amd64":
		return amd64Class()
	case "arm64":
		return strings.Join(append([]string{"arm64"}, present(map[string]bool{
			"dotprod": cpu.ARM64.HasASIMDDP, "fp16": cpu.ARM64.HasASIMDHP, "i8mm": cpu.ARM64.HasI8MM, "sve": cpu.ARM64.HasSVE,
		}, "dotprod", "fp16", "i8mm", "sve")...), "+")
	}
	return runtime.GOARCH
}

// amd64Class uses the levels of the x86-64 psABI, and what matrix kernels look at
// beyond them.
func amd64Class() string {
	x := cpu.X86
	v2 := x.HasSSE3 && x.HasSSSE3 && x.HasSSE41 && x.HasSSE42 && x.HasPOPCNT
	v3 := v2 && x.HasAVX && x.HasAVX2 && x.HasBMI1 && x.HasBMI2 && x.HasFMA
	v4 := v3 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL
	level := "x86-64-v1"
	switch {
	case v4:
		level = "x86-64-v4"
	case v3:
		level = "x86-64-v3"
	case v2:
		level = "x86-64-v2"
	}
	return strings.Join(append([]string{level}, present(map[string]bool{
		"avx512vnni": x.HasAVX512VNNI, "avxvnni": x.HasAVXVNNI, "avx512bf16": x.HasAVX512BF16, "amx": x.HasAMXTile,
	}, "avx512vnni", "avxvnni", "avx512bf16", "amx")...), "+")
}

func present(has map[string]bool, order ...string) (names []string) {
	for _, n := range order {
		if has[n] {
			names = append(names, n)
		}
	}
	return names
}
