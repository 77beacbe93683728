package containers

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"semblance"
)

// TestADiskThatFails: what a disk does not give is not damage of the archive. It is told
// as what it is, of the entry it hits and of the whole, so that the next run tries again;
// what is damaged stays damaged.
func TestADiskThatFails(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"a", "broken", "damaged", "z"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat(name+" ", 2000))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	at := bytes.Index(whole, []byte("damaged damaged"))
	whole[at] ^= 1
	broken := int64(bytes.Index(whole, []byte("broken broken")))
	for _, gives := range []bool{false, true} {
		m := &memory{b: whole}
		if !gives {
			m.unreadable = span{broken + 600, broken + 1200}
		}
		r, err := Open([]Part{{Name: "x.zip", R: m, Size: m.Size()}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		all, _, end := listReader(r)
		r.Close()
		found := byName(t, all)
		for name, want := range map[string]semblance.Code{"a": "", "z": "", "damaged": semblance.MediaDamaged, "broken": semblance.Unavailable} {
			if gives && name == "broken" {
				want = ""
			}
			got := found[name].Code
			if found[name].err != nil {
				got = code(t, found[name].err)
			}
			if got != want {
				t.Errorf("%s: %q (%v), want %q", name, got, found[name].err, want)
			}
		}
		if gives != (end == nil) || end != nil && code(t, end) != semblance.Unavailable {
			t.Errorf("the disk gives all: %v, and the end is %v", gives, end)
		}
	}
}
