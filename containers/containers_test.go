package containers

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"semblance"
)

// A held is an entry with its content and how reading it ended.
type held struct {
	semblance.Entry
	content string
	err     error
}

// list opens a file and reads all it holds; end is how going through it ended.
func list(t testing.TB, name string, content []byte, o Options) (all []held, facts semblance.ContainerFacts, end error) {
	t.Helper()
	r, err := Open([]Part{{Name: name, R: bytes.NewReader(content), Size: int64(len(content))}}, o)
	if err != nil {
		return nil, facts, err
	}
	if r == nil {
		t.Fatalf("%s is taken for no container", name)
	}
	defer r.Close()
	return listReader(r)
}

// listReader reads all that is left.
func listReader(r Reader) (all []held, facts semblance.ContainerFacts, end error) {
	for {
		e, err := r.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				end = err
			}
			return all, r.Facts(), end
		}
		h := held{Entry: e}
		if e.Kind == semblance.EntryFile && e.Code == "" {
			in, err := r.Open()
			if err == nil {
				var b []byte
				b, err = io.ReadAll(io.LimitReader(in, 64<<20))
				h.content = string(b)
			}
			h.err = err
		}
		all = append(all, h)
	}
}

// code is the code of an error that a person will read; anything else is a defect.
func code(t testing.TB, err error) semblance.Code {
	t.Helper()
	var e *semblance.Error
	if !errors.As(err, &e) || e.Msg == "" {
		t.Fatalf("not a sentence: %v", err)
	}
	return e.Code
}

// FuzzOpen gives any bytes to every format: an answer, entries or a sentence, and never
// more work than the input is worth.
func FuzzOpen(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := Open([]Part{{Name: "x", R: bytes.NewReader(content), Size: int64(len(content))}}, Options{})
		if err != nil {
			code(t, err)
		}
		if r == nil {
			return
		}
		defer r.Close()
		for range 1000 {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				code(t, err)
				return
			}
			if e.Kind != semblance.EntryFile || e.Code != "" {
				continue
			}
			in, err := r.Open()
			if err == nil {
				_, err = io.Copy(io.Discard, io.LimitReader(in, 1<<20))
			}
			if err != nil {
				code(t, err)
			}
		}
	})
}

// seeds are small containers of every format that can be made here; each format adds its own.
func seeds(t testing.TB) (all [][]byte) {
	all = append(all, documentSeeds(t)...)
	return append(all, archiveSeeds(t)...)
}

func makeGzip(t testing.TB, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Name, z.ModTime = name, time.Unix(1556964671, 0)
	if _, err := io.WriteString(z, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGzip(t *testing.T) {
	t.Parallel()
	whole := makeGzip(t, "photo.jpg", "the content")
	all, facts, err := list(t, "a.gz", whole, Options{})
	if err != nil || len(all) != 1 || all[0].content != "the content" || string(all[0].Name) != "photo.jpg" || facts.Format != "gzip" {
		t.Fatalf("%+v, %+v, %v", all, facts, err)
	}
	if tm := all[0].Times; len(tm) != 1 || tm[0].Time != "2019-05-04T10:11:11Z" {
		t.Errorf("times %+v", tm)
	}
	all, _, err = list(t, "a.gz", whole[:len(whole)-4], Options{})
	if err != nil || all[0].content != "the content" || code(t, all[0].err) != semblance.MediaDamaged {
		t.Errorf("cut short: %+v, %v", all, err)
	}
}

func TestSortPutsWhatPaysFirst(t *testing.T) {
	t.Parallel()
	want := []string{"DCIM/100APPLE/IMG_0001.HEIC", "Media/WhatsApp Images/IMG-20190504-WA0003.jpg", "a.png", "notes.txt", "DCIM/100APPLE/IMG_0002.MOV", "film.mkv", "backup.zip"}
	var in []semblance.Entry
	for _, n := range want {
		in = append(in, semblance.Entry{Name: []byte(n)})
	}
	slices.Reverse(in)
	Sort(in)
	for i, e := range in {
		if string(e.Name) != want[i] {
			t.Errorf("place %d: %s, want %s", i, e.Name, want[i])
		}
	}
}
