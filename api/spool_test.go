package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"semblance"
	"semblance/api"
)

// FuzzSafeName asserts that no name can leave its folder or surprise a terminal.
func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"", "..", "../../etc/passwd", `C:\x\y.jpg`, "a\x00b", "\xff\xfe", "\u202egpj.exe", strings.Repeat("é", 300), ".bashrc", "  ", "a/", strings.Repeat("x", 180) + "." + strings.Repeat("y", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := api.SafeName(in)
		if out == "" || out == "." || out == ".." || len(out) > 200 || strings.ContainsAny(out, "/\\\x00") || !utf8.ValidString(out) || strings.HasPrefix(out, ".") {
			t.Errorf("%q became %q", in, out)
		}
		if strings.IndexFunc(out, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) >= 0 {
			t.Errorf("%q became %q, which has control characters", in, out)
		}
		if filepath.Base(out) != out {
			t.Errorf("%q became %q, which is not one name", in, out)
		}
		if again := api.SafeName(out); again != out {
			t.Errorf("%q became %q, and that %q", in, out, again)
		}
	})
}

// broken fails in the middle, as a caller that leaves.
type broken struct {
	io.Reader
	err error
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

// TestSpoolLeavesNothing sends uploads that fail, each in another way.
func TestSpoolLeavesNothing(t *testing.T) {
	t.Parallel()
	form := func(files ...string) (string, []byte) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for i, f := range files {
			p, err := w.CreateFormFile("file", fmt.Sprintf("f%d", i))
			if err == nil {
				_, err = io.WriteString(p, f)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return w.FormDataContentType(), b.Bytes()
	}
	formType, three := form("a", "b", "c")
	fourType, four := form("a", "b", "c", "d")
	emptyType, empty := form()
	for _, tt := range []struct {
		name, contentType string
		body              io.Reader
		want              semblance.Code
		files             int
	}{
		{"three files", formType, bytes.NewReader(three), "", 3},
		{"one body", "image/jpeg", strings.NewReader("x"), "", 1},
		{"four files of three", fourType, bytes.NewReader(four), semblance.MediaTooLarge, 0},
		{"too many bytes", "image/jpeg", io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))), semblance.MediaTooLarge, 0},
		{"exactly as many as may be", "image/jpeg", io.MultiReader(strings.NewReader(strings.Repeat("x", 1000))), "", 1},
		{"nothing", "image/jpeg", strings.NewReader(""), semblance.Invalid, 0},
		{"no file in the form", emptyType, bytes.NewReader(empty), semblance.Invalid, 0},
		{"a cut form", formType, bytes.NewReader(three[:len(three)/2]), semblance.Invalid, 0},
		{"a caller that leaves", "image/jpeg", &broken{strings.NewReader("xxx"), io.ErrUnexpectedEOF}, semblance.Invalid, 0},
		{"a caller that stops sending", "image/jpeg", &broken{strings.NewReader("xxx"), os.ErrDeadlineExceeded}, semblance.Timeout, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "spool")
			s, err := api.OpenSpool(dir, 1000, 3)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/", tt.body)
			r.Header.Set("Content-Type", tt.contentType)
			id, files, _, err := s.Receive(r, "name")
			if semblance.CodeOf(err) != tt.want || files != tt.files {
				t.Fatalf("%d files, error %v, want %d and %q", files, err, tt.files, tt.want)
			}
			if err == nil {
				stored, rerr := os.ReadDir(s.Path(id))
				if rerr != nil || len(stored) != tt.files {
					t.Errorf("stored %v, %v", stored, rerr)
				}
				if err := s.Remove(id); err != nil {
					t.Error(err)
				}
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

// TestSpoolRefusesEveryCut cuts a form at every byte: only the whole one, with or
// without its last line end, is taken.
func TestSpoolRefusesEveryCut(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range []string{"a", "b"} {
		p, err := w.CreateFormFile("file", name)
		if err == nil {
			_, err = io.WriteString(p, "content of "+name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := api.OpenSpool(t.TempDir(), 1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	whole := b.Len() - len("\r\n")
	for n := range b.Len() + 1 {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(b.Bytes()[:n]))
		r.Header.Set("Content-Type", w.FormDataContentType())
		id, files, _, err := s.Receive(r, "")
		if (err == nil) != (n >= whole) {
			t.Errorf("cut at %d of %d bytes: %d files, error %v", n, b.Len(), files, err)
		}
		if err == nil {
			if err := s.Remove(id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSpoolSweep keeps what a job needs and nothing else, and does not follow ids
// out of its folder.
func TestSpoolSweep(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir := filepath.Join(root, "spool")
	s, err := api.OpenSpool(dir, 1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"keep", "drop"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(func(id string) bool { return id == "keep" }); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "keep" {
		t.Errorf("left %v, %v", left, err)
	}
	if got := s.Path("../../elsewhere"); !strings.HasPrefix(got, dir) {
		t.Errorf("an id leads to %s", got)
	}
}
