package main

import (
	"log"

	"golang.org/x/sys/unix"
)

// threadTime returns the seconds of the processor that this thread has used.
func threadTime() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		log.Fatal(err)
	}
	return float64(t.Nano()) / 1e9
}
