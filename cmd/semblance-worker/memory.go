//go:build cgo && native

package main

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
)

// A memory knows how much of its data limit this process has used up. It is
// opened before the cage closes.
type memory struct{ statm *os.File }

func openMemory() memory {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return memory{} // not Linux: left returns what it is given
	}
	return memory{f}
}

// left returns what a picture may take of limit, so that one that does not fit is
// refused in words: running into the limit itself kills the process. What the Go
// heap keeps but does not use can be used again.
func (m memory) left(limit int64) int64 {
	const dataField = 5 // of proc(5), statm: data and stack, in pages
	b := make([]byte, 256)
	if m.statm == nil {
		return limit
	}
	n, _ := m.statm.ReadAt(b, 0)
	fields := bytes.Fields(b[:n])
	if len(fields) <= dataField {
		return limit
	}
	pages, err := strconv.ParseInt(string(fields[dataField]), 10, 64)
	if err != nil {
		return limit
	}
	used := pages*int64(os.Getpagesize()) - idleHeap()
	return max(limit-max(used, 0), 1<<20)
}

func idleHeap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	total := int64(0)
	for _, v := range s {
		if v.Value.Kind() == metrics.KindUint64 {
			total += int64(v.Value.Uint64())
		}
	}
	return total
}
