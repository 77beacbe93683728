package scan_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"semblance/hashing"
	"semblance/scan"
)

// TestWhatTakesLongIsTold: while a large file is read for its digests, or something is done
// inside of a container, progress says with which file and how far it is, although no item comes
// to its end; what is done in an instant is not told.
func TestWhatTakesLongIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "box.zip", box{}.bytes())
	put(t, root, "small.jpg", knownPicture.bytes())
	const size = 80 << 20
	large := filepath.Join(root, "large.bin")
	if f, err := os.Create(large); err != nil || f.Truncate(size) != nil || f.Close() != nil {
		t.Fatal(err)
	}
	var clock atomic.Int64 // seconds
	r.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	told := make(chan scan.Work, 1000)
	// await lets time go by until it is told how far a work is.
	await := func(want scan.Work) {
		for deadline := time.After(time.Minute); ; {
			clock.Add(1)
			select {
			case got := <-told:
				if got.For = 0; got == want {
					return
				}
			case <-time.After(10 * time.Millisecond):
			case <-deadline:
				t.Errorf("%+v was not told", want)
				return
			}
		}
	}
	r.SetDigest(func(ctx context.Context, in io.Reader) (hashing.Digests, error) {
		if f, ok := in.(*os.File); ok { // a small one
			return hashing.Digest(ctx, f)
		}
		d := hashing.NewDigester()
		if _, err := io.CopyN(d, in, size/4); err != nil {
			return hashing.Digests{}, err
		}
		await(scan.Work{Path: "large.bin", What: scan.WorkDigests, Done: size / 4, Total: size})
		_, err := io.Copy(d, in)
		return d.Sum(), err
	})
	r.opener.working = func(progress func(done, total int64)) {
		progress(7, 0)
		await(scan.Work{Path: "box.zip", What: scan.WorkInside, Done: 7})
		progress(900, 1000)
		await(scan.Work{Path: "box.zip", What: scan.WorkInside, Done: 900, Total: 1000})
		progress(100, 1000) // another pass
		await(scan.Work{Path: "box.zip", What: scan.WorkInside, Done: 100, Total: 1000})
	}
	out := r.done(t, root, lanes(1), func(o *scan.Options) {
		o.Progress = func(p scan.Progress) {
			for _, w := range p.Works {
				if w.Path == "small.jpg" {
					t.Errorf("%+v", w)
				}
				if left := w.Left(); w.Done > 0 && w.For > 0 && w.Total > 0 && left != time.Duration(float64(w.For)*float64(w.Total-w.Done)/float64(w.Done)) {
					t.Errorf("%+v takes %v more", w, left)
				}
				told <- w
			}
		}
	})
	if e := out.item(t, "large.bin"); e.Size != size || e.SHA256 == "" {
		t.Errorf("%+v", e)
	}
	if len(told) > 900 {
		t.Error("progress is told without end")
	}
}

// TestStoppedInsideOfTheFirstOfTwo: when the time has passed in one container, what was examined
// ahead in the next one is not recorded before the rest of the first is.
func TestStoppedInsideOfTheFirstOfTwo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root, "a.zip", box{Holds: []held{file("1.jpg", []byte("one")), file("2.jpg", knownPicture.bytes())}}.bytes())
	put(t, root, "b.zip", box{Holds: []held{file("3.jpg", knownPicture.bytes())}}.bytes())
	whole := newRig(t)
	whole.done(t, root)
	r := newRig(t)
	var clock atomic.Int64
	r.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	ahead := make(chan struct{})
	var once sync.Once
	r.opener.before = func(entry string) error {
		switch entry {
		case "1.jpg":
			select {
			case <-ahead:
			case <-time.After(10 * time.Second):
				t.Error("the second container is not examined ahead")
			}
			clock.Store(3600)
		case "3.jpg":
			once.Do(func() { close(ahead) })
		}
		return nil
	}
	out := r.scan(t, t.Context(), root, lanes(2), func(o *scan.Options) { o.First = time.Minute })
	if out.err != nil || out.Complete {
		t.Fatalf("%v, %+v", out.err, out.Summary)
	}
	if got := out.statuses(); slices.Contains(got, "b.zip//3.jpg new") || slices.Contains(got, "a.zip//2.jpg new") {
		t.Errorf("%v", got)
	}
	r.opener.before = nil
	r.done(t, root)
	if got, want := r.report(t), whole.report(t); got != want {
		t.Errorf("the record is another: %s", firstDifference(got, want))
	}
}
