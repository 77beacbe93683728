package scan_test

import (
	"fmt"
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
		if got := scan.Segments(files[0], there); !slices.Equal(got, files[1:]) {
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
