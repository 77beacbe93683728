package scan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance/scan"
)

func TestSegments(t *testing.T) {
	t.Parallel()
	var ewf []string
	for i := 1; i <= 99; i++ {
		ewf = append(ewf, fmt.Sprintf("/d/i.E%02d", i))
	}
	ewf = append(ewf, "/d/i.EAA", "/d/i.EAB")
	for name, files := range map[string][]string{
		"ewf": ewf, "small letters": {"/d/i.e01", "/d/i.e02"}, "numbers": {"/d/i.001", "/d/i.002", "/d/i.003"}, "from zero": {"/d/i.dd.000", "/d/i.dd.001"},
		"rar": {"/d/a.part01.rar", "/d/a.part02.rar"}, "old rar": {"/d/a.rar", "/d/a.r00", "/d/a.r01"}, "zip": {"/d/a.zip", "/d/a.z01", "/d/a.z02"},
		"wal": {"/d/chat.db", "/d/chat.db-wal"}, "one": {"/d/a.jpg"},
	} {
		there := func(p string) bool { return slices.Contains(files, p) }
		if got, _ := scan.Segments(files[0], there); !slices.Equal(got, files[1:]) {
			t.Errorf("%s: %v", name, got)
		}
		for i, f := range files {
			if scan.LaterSegment(f, there) != (i > 0) && name != "wal" {
				t.Errorf("%s: %s is a later segment: %v", name, f, i == 0)
			}
		}
		alone := func(p string) bool { return p == files[len(files)-1] }
		if scan.LaterSegment(files[len(files)-1], alone) {
			t.Errorf("%s: a segment without its first is not opened", name)
		}
	}
}

// Segments of an EWF image are found beyond missing ones, and what is only named like one is
// none; numbered parts are not joined over a gap, which is told.
func TestSegmentsBeyondAGap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exists := func(p string) bool {
		info, err := os.Lstat(p)
		return err == nil && info.Mode().IsRegular()
	}
	at := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	const segment = "EVF\x09\x0d\x0a\xff\x00"
	for name, content := range map[string]string{
		"i.E01": segment, "i.E02": segment, "i.E04": segment, "i.E07": segment, "i.EAB": segment, "i.E09": "text", "i.EXE": "MZ program", "i.txt": "text",
		"d.001": "a", "d.002": "b", "d.005": "c", "x.000": "a", "x.001": "b", "one.001": "a",
	} {
		put(t, dir, name, []byte(content))
	}
	for first, want := range map[string]struct{ more, missing []string }{
		"i.E01":   {at("i.E02", "i.E04", "i.E07", "i.EAB"), nil},
		"d.001":   {at("d.002"), []string{"d.003", "d.004"}},
		"x.000":   {at("x.001"), nil},
		"one.001": {nil, nil},
	} {
		if more, missing := scan.Segments(filepath.Join(dir, first), exists); !slices.Equal(more, want.more) || !slices.Equal(missing, want.missing) {
			t.Errorf("%s: %v, missing %v", first, more, missing)
		}
	}
	for name, later := range map[string]bool{"i.E01": false, "i.E02": true, "i.E04": true, "i.EAB": true, "i.E09": false, "i.EXE": false, "i.txt": false, "d.002": true, "d.005": false} {
		if scan.LaterSegment(filepath.Join(dir, name), exists) != later {
			t.Errorf("%s is a later segment: %v", name, !later)
		}
	}
}
