package main

import (
	"testing"
	"time"

	"semblance/scan"
)

// TestTimeLeft: the time left follows what was done lately, and what is slower of files
// and bytes.
func TestTimeLeft(t *testing.T) {
	t.Parallel()
	var p pace
	at := func(seconds int, items, bytes int64, counted bool) time.Duration {
		return p.left(scan.Progress{Items: items, TotalItems: 1000, Bytes: bytes, TotalBytes: 1_000_000, Counted: counted, Elapsed: time.Duration(seconds) * time.Second})
	}
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if d := got - want; d < -want/20 || d > want/20 {
			t.Errorf("%s: %v left, want about %v", what, got, want)
		}
	}
	if got := at(1, 10, 10_000, true); got != 0 {
		t.Errorf("after a second: %v", got)
	}
	if got := at(5, 50, 50_000, false); got != 0 {
		t.Errorf("before the files are counted: %v", got)
	}
	near("ten files and 10,000 bytes a second", at(10, 100, 100_000, true), 90*time.Second)
	near("bytes are slower", at(20, 400, 110_000, true), 890_000*time.Second/5200) // 5,500 a second in all, less of late
	// Ten minutes of slow files later, the quick beginning is forgotten.
	for s := 30; s <= 620; s += 10 {
		at(s, 400+int64(s/10), 110_000+int64(s)*1000, true)
	}
	near("slow for a long time", at(630, 463, 740_000, true), 537*10*time.Second)
	if got := at(640, 1000, 1_000_000, true); got != 0 {
		t.Errorf("at the end: %v", got)
	}
	near("begun again", at(4, 40, 40_000, true), 96*time.Second)
	p = pace{}
	if got := at(4000, 0, 0, true); got != 0 {
		t.Errorf("nothing was done: %v", got)
	}
}

// TestAbout writes times left.
func TestAbout(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "", 9 * time.Second: "about 9s", 62 * time.Second: "about 1m", 95 * time.Second: "about 1m40s", 10 * time.Minute: "about 10m",
		45*time.Minute + 31*time.Second: "about 46m", 2*time.Hour + 20*time.Second: "about 2h", 2*time.Hour + 10*time.Minute: "about 2h10m", 30*time.Hour + time.Minute: "about 30h"} {
		if got := about(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
