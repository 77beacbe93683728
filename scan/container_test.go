package scan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"semblance"
	"semblance/scan"
)

// A box is a container as the tests' opener reads it.
type box struct {
	Box      bool   `json:"box"` // first, so that it is told by its beginning
	Password string `json:"password,omitempty"`
	Holds    []held `json:"holds"`
	End      string `json:"end,omitempty"`  // code the container ends with, instead of its end
	Open     string `json:"open,omitempty"` // code that opening it ends with
	Picture  string `json:"fail,omitempty"` // it is a picture that carries something, and fails with this code
}

type held struct {
	semblance.Entry
	Data []byte `json:"data,omitempty"`
	Zero int64  `json:"zero,omitempty"` // so many more bytes of nothing
	Cut  string `json:"cut,omitempty"`  // code the content ends with, instead of its end
}

const boxMagic = `{"box":true,`

func (b box) bytes() []byte {
	b.Box = true
	out, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return out
}

func file(name string, data []byte) held {
	return held{Entry: semblance.Entry{Name: []byte(name), Kind: semblance.EntryFile, Size: int64(len(data)), Offset: -1}, Data: data}
}

// An opener opens boxes and counts them. before, when set, may make it fail.
type opener struct {
	asked, opened, read atomic.Int64
	before              func(entry string) error
	working             func(progress func(done, total int64)) // called when one is opened
}

func (o *opener) OpenContainer(_ context.Context, files []semblance.ContainerFile, opts semblance.ContainerOptions, progress func(int64, int64)) (scan.Container, error) {
	o.asked.Add(1)
	info, err := files[0].File.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	if _, err := files[0].File.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isBox(b, files[0].Name) {
		return nil, nil
	}
	b = bytes.TrimPrefix(bytes.TrimPrefix(b, []byte("named ")), []byte(zipMark))
	o.opened.Add(1)
	if o.working != nil {
		o.working(progress)
	}
	k := &openBox{o: o}
	if err := json.Unmarshal(b, &k.box); err != nil {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the box is damaged")
	}
	if k.Open != "" {
		return nil, semblance.Errorf(semblance.Code(k.Open), "the box does not open")
	}
	if k.Password != "" && !slices.Contains(opts.Passwords, k.Password) {
		for i := range k.Holds {
			k.Holds[i].Code, k.Holds[i].Reason = semblance.MediaEncrypted, "encrypted, and no password opens it"
		}
	}
	return k, nil
}

// zipMark before a box makes it one that is told from its first bytes.
const zipMark = "PK\x03\x04"

// isBox tells a box by its beginning, or by its name.
func isBox(b []byte, name string) bool {
	return bytes.HasPrefix(bytes.TrimPrefix(b, []byte(zipMark)), []byte(boxMagic)) || strings.HasPrefix(string(b), "named ") && strings.HasSuffix(name, ".box")
}

type openBox struct {
	box
	o *opener
	n int
}

func (b *openBox) Next() (semblance.Entry, error) {
	if b.n == len(b.Holds) {
		if b.End != "" {
			return semblance.Entry{}, semblance.Errorf(semblance.Code(b.End), "the box ends here")
		}
		return semblance.Entry{}, io.EOF
	}
	b.n++
	return b.Holds[b.n-1].Entry, nil
}

func (b *openBox) Copy(w io.Writer) (int64, error) {
	h := b.Holds[b.n-1]
	b.o.read.Add(1)
	if b.o.before != nil {
		if err := b.o.before(string(h.Name)); err != nil {
			return 0, err
		}
	}
	n, err := w.Write(h.Data)
	for left := h.Zero; left > 0 && err == nil; left -= 1 << 20 {
		_, err = w.Write(make([]byte, min(left, 1<<20)))
	}
	if err == nil && h.Cut != "" {
		err = semblance.Errorf(semblance.Code(h.Cut), "the content is cut short")
	}
	return int64(n), err
}

func (b *openBox) Facts() semblance.ContainerFacts {
	if b.Picture != "" {
		return semblance.ContainerFacts{Format: "picture"}
	}
	return semblance.ContainerFacts{Format: "box"}
}

func (b *openBox) Close() error { return nil }

// layContainers is layDevice with containers among it.
func layContainers(t *testing.T) string {
	t.Helper()
	root := layDevice(t)
	inner := box{Holds: []held{file("deep.jpg", knownPicture.bytes()), file("face.jpg", facePicture.bytes()), file("own.jpg", picture{Salt: "own"}.bytes())}}
	var many box
	for i := range 90 { // more than may wait
		many.Holds = append(many.Holds, file(fmt.Sprintf("DCIM/%03d.jpg", i), picture{Salt: fmt.Sprint("boxed ", i/3)}.bytes()))
	}
	put(t, root, "backup.zip", box{Holds: []held{
		file("a.jpg", picture{Salt: "twin"}.bytes()), file("a.jpg", picture{Salt: "other twin"}.bytes()), file("../up.jpg", picture{Salt: "up"}.bytes()), file("/abs.jpg", nearPicture.bytes()),
		{Entry: semblance.Entry{Name: []byte("dir/"), Kind: semblance.EntryFolder}},
		{Entry: semblance.Entry{Name: []byte("link"), Kind: semblance.EntryLink, Target: "/etc/passwd"}},
		{Entry: semblance.Entry{Name: []byte("odd\xff"), Kind: semblance.EntryFile, Code: semblance.MediaUnsupported, Reason: "a method that is not read"}},
		file("inner.zip", inner.bytes()), {Entry: file("cut.jpg", nil).Entry, Data: picture{Salt: "cut"}.bytes(), Cut: "media-damaged"},
		{Entry: semblance.Entry{Name: []byte("gone.jpg"), Kind: semblance.EntryFile, Deleted: true, Carved: true, Reason: "one block is another's", Offset: 4096, Inode: 7, Size: -1,
			Times: []semblance.FileTime{{What: "modified", Time: "2019-05-04T10:11:12", Source: "FAT directory entry"}}}, Data: picture{Salt: "gone"}.bytes()},
	}}.bytes())
	put(t, root, "dump.tar", many.bytes())
	put(t, root, "copy of inner.zip", inner.bytes())
	put(t, root, "half.zip", box{Holds: []held{file("first.jpg", picture{Salt: "first"}.bytes())}, End: "media-damaged"}.bytes())
	put(t, root, "shut.zip", box{Open: "media-encrypted"}.bytes())
	return root
}

func TestContainers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := layContainers(t)
	out := r.done(t, root, lanes(4))
	for path, want := range map[string]string{
		`backup.zip//a.jpg`: "new", `backup.zip//a.jpg\2`: "new", `backup.zip//\x2e\x2e/up.jpg`: "new", `backup.zip//\x2fabs.jpg`: "duplicate", `backup.zip//link`: "unsupported", `backup.zip//odd\xff`: "failed",
		`backup.zip//inner.zip`: "new", `backup.zip//inner.zip//deep.jpg`: "duplicate", `backup.zip//cut.jpg`: "failed", `backup.zip//gone.jpg`: "new", `copy of inner.zip`: "duplicate",
		`copy of inner.zip//own.jpg`: "duplicate", `half.zip//first.jpg`: "new", "dump.tar//DCIM/089.jpg": "duplicate", "dump.tar//DCIM/087.jpg": "new",
	} {
		if got := string(out.item(t, path).Status); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if s := out.Summary; s.Containers != 6 || s.Opened != 6 || s.Errors["media-encrypted"] != 1 || s.Errors["media-damaged"] != 2+2 {
		t.Errorf("%+v", s)
	}
	for _, e := range out.events {
		if e.Event == scan.EventContainer && e.Path == "dump.tar" && (e.Opened.Entries != 90 || !e.Opened.Complete || e.Opened.Format != "box") {
			t.Errorf("dump.tar: %+v", e.Opened)
		}
	}
	if strings.Contains(out.ndjson(t), `"path":"backup.zip//dir`) {
		t.Error("a folder is an item")
	}
	report := r.report(t)
	for _, want := range []string{`"carved":true`, `"offset":4096`, `"remark":"one block is another's"`, `"2019-05-04T10:11:12"`, `"format":"box"`, `"code":"media-encrypted"`} {
		if !strings.Contains(report, want) {
			t.Errorf("the report has no %s", want)
		}
	}
	again := r.done(t, root)
	if n := r.opener.opened.Load(); n != 6 {
		t.Errorf("%d were opened by two runs", n)
	}
	if again.Seen != out.Seen || again.Opened != 0 || again.Failed != out.Failed || again.Decoded != 0 || again.Containers != out.Containers || again.Missing != 0 || again.Errors["media-damaged"] != out.Errors["media-damaged"] || r.report(t) != report {
		t.Errorf("a second run: %+v\nafter %+v", again.Summary, out.Summary)
	}
}

// TestPlainFilesAreNotOpened: what the analyzer has found to be no container is not asked
// about again, and nothing else comes of it than when it says nothing. A container that is
// told by its name is not taken for plain because the same bytes of another name are.
func TestPlainFilesAreNotOpened(t *testing.T) {
	t.Parallel()
	root := layContainers(t)
	named := append([]byte("named "), box{Holds: []held{file("in.jpg", picture{Salt: "in"}.bytes())}}.bytes()...)
	put(t, root, "a/named.dat", named)
	put(t, root, "a/named.box", named)
	put(t, root, "b/named.dat", named)
	for i := range 20 {
		put(t, root, fmt.Sprintf("notes/%02d.dat", i), fmt.Appendf(nil, "a note that is no picture, %d", i))
	}
	put(t, root, "notes.zip", box{Holds: []held{file("note.dat", []byte("a note in an archive, no picture")), file("named.box", named)}}.bytes())
	asking, told := newRig(t), newRig(t)
	told.analyzer.plain = true
	out, same := asking.done(t, root, lanes(3)), told.done(t, root, lanes(3))
	if got, want := told.report(t), asking.report(t); got != want {
		t.Errorf("the report differs:\n%s\nwant\n%s", got, want)
	}
	if same.Opened != out.Opened || same.Seen != out.Seen || told.opener.opened.Load() != asking.opener.opened.Load() {
		t.Errorf("%+v\nwant %+v", same.Summary, out.Summary)
	}
	for _, path := range []string{"a/named.box//in.jpg", "notes.zip//named.box//in.jpg"} {
		same.item(t, path)
	}
	if asked, before := told.opener.asked.Load(), asking.opener.asked.Load(); asked > before-20 {
		t.Errorf("%d were asked about as containers, %d without being told", asked, before)
	}
}

// TestContainersInAnyOrderOfWork: how many lanes there are does not show.
func TestContainersInAnyOrderOfWork(t *testing.T) {
	t.Parallel()
	root := layContainers(t)
	one := newRig(t)
	want := one.done(t, root, lanes(1)).ndjson(t)
	for _, n := range []int{2, 7} {
		r := newRig(t)
		if got := r.done(t, root, lanes(n)).ndjson(t); got != want || r.report(t) != one.report(t) {
			t.Errorf("%d lanes tell another story", n)
		}
	}
}

func TestContainersInterruptedAndResumed(t *testing.T) {
	t.Parallel()
	root := layContainers(t)
	whole := newRig(t)
	undisturbed := whole.done(t, root)
	want := whole.report(t)
	for cut := 1; cut < len(undisturbed.events); cut += 53 {
		r := newRig(t)
		r.Now = ticking()
		for again := range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			out := r.scan(t, ctx, root, func(o *scan.Options) {
				o.Event = func(scan.Event) {
					if n++; n == cut+3*again {
						cancel()
					}
				}
			})
			cancel()
			if out.err != nil && semblance.CodeOf(out.err) != semblance.Canceled {
				t.Fatalf("cut %d: %v", cut, out.err)
			}
		}
		read := r.opener.read.Load()
		r.done(t, root)
		if got := r.report(t); got != want {
			t.Fatalf("cut %d:\n%s\nwant\n%s", cut, got, want)
		}
		if cut > 200 && r.opener.read.Load()-read > 60 {
			t.Errorf("cut %d: %d entries were read again", cut, r.opener.read.Load()-read)
		}
	}
}

// largeOnes are the containers of layContainers, beginning with a mark, a copy of one, one
// in two parts, and two files that have the mark and are none.
func largeOnes(t *testing.T) string {
	t.Helper()
	root := layContainers(t)
	for _, name := range []string{"backup.zip", "dump.tar", "copy of inner.zip", "half.zip", "shut.zip"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, root, name, append([]byte(zipMark), b...))
	}
	put(t, root, "another copy of inner.zip", func() []byte { b, _ := os.ReadFile(filepath.Join(root, "copy of inner.zip")); return b }())
	put(t, root, "no.zip", []byte(zipMark+"and nothing else"))
	put(t, root, "parts.001", append([]byte(zipMark), box{Holds: []held{file("a.jpg", picture{Salt: "in parts"}.bytes())}}.bytes()...))
	put(t, root, "parts.002", []byte(zipMark+"more of it"))
	put(t, root, "no copy.zip", []byte(zipMark+"and nothing else"))
	return root
}

func large(from int64) func(o *scan.Options) { return func(o *scan.Options) { o.Large = from } }

// TestLargeContainersAreLookedIntoFirst: what is in them is told before they are read for
// their digests, and what is recorded in the end does not depend on it, however often the
// scan is interrupted.
func TestLargeContainersAreLookedIntoFirst(t *testing.T) {
	t.Parallel()
	small := newRig(t)
	root := largeOnes(t)
	first := small.done(t, root, large(math.MaxInt64))
	want := small.report(t)

	r := newRig(t)
	out := r.done(t, root, large(1), lanes(3))
	if got := r.report(t); got != want {
		t.Errorf("the record is\n%s\nwant\n%s", got, want)
	}
	a, b := first.Summary, out.Summary
	if a.Seconds, b.Seconds = 0, 0; !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
	item := -1
	for i, e := range out.events {
		switch {
		case e.Path != "backup.zip":
		case e.Event == scan.EventItem:
			if item = i; e.SHA256 != "" {
				t.Error("it was read before it was looked into")
			}
		case e.Event == scan.EventContainer:
			if item < 0 || i-item < 10 || e.SHA256 != first.item(t, "backup.zip").SHA256 {
				t.Errorf("%d after its item: %+v", i-item, e)
			}
		}
	}
	read := r.opener.read.Load()
	if again := r.done(t, root, large(1)); r.opener.read.Load() != read || r.report(t) != want || again.Opened != 0 {
		t.Errorf("a second run: %+v", again.Summary)
	}

	for cut := 1; cut < len(out.events); cut += 41 {
		r := newRig(t)
		r.Now = ticking()
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		out := r.scan(t, ctx, root, large(1), func(o *scan.Options) {
			o.Event = func(scan.Event) {
				if n++; n == cut {
					cancel()
				}
			}
		})
		cancel()
		if out.err != nil && semblance.CodeOf(out.err) != semblance.Canceled {
			t.Fatalf("cut %d: %v", cut, out.err)
		}
		before := r.opener.read.Load()
		r.done(t, root, large(1))
		if got := r.report(t); got != want {
			t.Fatalf("cut %d:\n%s\nwant\n%s", cut, got, want)
		}
		if after := r.opener.read.Load() - before; cut > 200 && after > 60 {
			t.Errorf("cut %d: %d entries were read again", cut, after)
		}
	}
}

// TestLargeContainerThatChanges: what was found in it belongs to bytes that are gone.
func TestLargeContainerThatChanges(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	name := "backup.zip"
	put(t, root, name, append([]byte(zipMark), box{Holds: []held{file("a.jpg", knownPicture.bytes()), file("b.jpg", picture{Salt: "b"}.bytes())}}.bytes()...))
	r := newRig(t)
	r.opener.before = func(entry string) error {
		if entry != "b.jpg" {
			return nil
		}
		r.opener.before = nil
		put(t, root, name, append([]byte(zipMark), box{Holds: []held{file("c.jpg", picture{Salt: "c"}.bytes())}}.bytes()...))
		return nil
	}
	out := r.done(t, root, large(1))
	if out.Failed != 1 || out.Errors["conflict"] != 1 || !strings.Contains(r.report(t), "changed while what it holds was examined") {
		t.Errorf("%+v\n%s", out.Summary, r.report(t))
	}
	if out := r.done(t, root, large(1)); out.Failed != 0 || !strings.Contains(r.report(t), "backup.zip//c.jpg") {
		t.Errorf("the next run: %+v\n%s", out.Summary, r.report(t))
	}
}

// TestStoppedInsideAContainer: --first ends inside of a container, and a later run goes on.
func TestStoppedInsideAContainer(t *testing.T) {
	t.Parallel()
	root := layContainers(t)
	whole := newRig(t)
	whole.done(t, root)
	r := newRig(t)
	r.Now = ticking()
	out := r.scan(t, t.Context(), root, func(o *scan.Options) { o.First = 150 * time.Second })
	if out.err != nil || out.Complete || out.Seen == 0 {
		t.Fatalf("%v, %+v", out.err, out.Summary)
	}
	for range 20 {
		if out = r.scan(t, t.Context(), root, func(o *scan.Options) { o.First = 150 * time.Second }); out.err != nil {
			t.Fatal(out.err)
		}
	}
	r.done(t, root)
	if got, want := r.report(t), whole.report(t); got != want {
		t.Errorf("the record is another: %s", firstDifference(got, want))
	}
}

// firstDifference shows the first line that two reports do not share.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d:\n%s\nnot\n%s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(a), len(b))
}

func TestContainersThatAreMadeToHurt(t *testing.T) {
	t.Parallel()
	nested := picture{Salt: "innermost"}.bytes()
	for range 18 {
		nested = box{Holds: []held{file("x.zip", nested)}}.bytes()
	}
	for name, c := range map[string]struct {
		content []byte
		reason  string
		items   int64
	}{
		"nested": {nested, "more than 16 deep", 17},
		"bomb":   {box{Holds: []held{{Entry: file("zeros", nil).Entry, Zero: 64 << 20}, file("never", nil)}}.bytes(), "more than 200 times its size", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.SetFree(4 << 20)
			root := t.TempDir()
			put(t, root, "a.zip", c.content)
			put(t, root, "b.jpg", knownPicture.bytes())
			out := r.done(t, root)
			if out.Seen != c.items+1 || out.Failed == 0 || out.Hits != 1 || out.Reconcile() != nil || !strings.Contains(out.ndjson(t), c.reason) {
				t.Errorf("%+v\n%s", out.Summary, out.ndjson(t))
			}
		})
	}
}

// TestContentThatIsCutAndHolds: that something was found in what could be read does not hide
// that the rest is missing, in no run.
func TestContentThatIsCutAndHolds(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"media-too-large", "media-damaged", "media-unsupported"} {
		r := newRig(t)
		root := t.TempDir()
		inner := file("inner.zip", box{Holds: []held{file("a.jpg", knownPicture.bytes())}}.bytes())
		inner.Cut = code
		put(t, root, "outer.zip", box{Holds: []held{inner}}.bytes())
		for range 2 {
			out := r.done(t, root)
			if out.Failed != 1 || out.Errors[code] != 1 || out.Hits != 1 || !strings.Contains(r.report(t), `"status":"failed","code":"`+code+`","reason":"the content is cut short"`) {
				t.Errorf("%s: %+v\n%s", code, out.Summary, r.report(t))
			}
		}
	}
}

// TestContentThatIsNotAllThere: an item of which the container has a part, or nothing, keeps
// its size; digests are told to be of the part, and of nothing there are none.
func TestContentThatIsNotAllThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	part, nothing := file("part.jpg", knownPicture.bytes()), file("nothing.jpg", nil)
	part.Size, nothing.Size, part.Cut, nothing.Cut = 5000, 6000, "media-damaged", "media-damaged"
	put(t, root, "a.dd", box{Holds: []held{part, nothing}}.bytes())
	for range 2 {
		out, report := r.done(t, root), r.report(t)
		if out.Failed != 2 || out.Hits != 1 || strings.Contains(report, "empty") {
			t.Errorf("%+v\n%s", out.Summary, report)
		}
		for _, line := range strings.Split(report, "\n") {
			if strings.Contains(line, `"event":"item"`) && strings.Contains(line, `a.dd//nothing.jpg`) && (strings.Contains(line, "sha256") || !strings.Contains(line, `"size":6000`)) {
				t.Error(line)
			}
			if strings.Contains(line, `"event":"item"`) && strings.Contains(line, `a.dd//part.jpg`) &&
				(!strings.Contains(line, fmt.Sprintf("its digests are of the %d bytes that could be read", len(part.Data))) || !strings.Contains(line, `"size":5000`)) {
				t.Error(line)
			}
		}
	}
}

// TestContentThatCouldNotBeRead: what the disk did not give is read by the next run, and
// what was made of the rest is forgotten.
func TestContentThatCouldNotBeRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.zip", box{Holds: []held{file("a.jpg", knownPicture.bytes()), file("b.jpg", picture{Salt: "b"}.bytes())}}.bytes())
	r.opener.before = func(entry string) error {
		if entry == "a.jpg" {
			return semblance.Errorf(semblance.Unavailable, "the disk reports an input/output error")
		}
		return nil
	}
	if out := r.done(t, root); out.Failed != 1 || out.Errors["unavailable"] != 1 || out.Hits != 0 {
		t.Fatalf("%+v\n%s", out.Summary, r.report(t))
	}
	r.opener.before = nil
	read := r.opener.read.Load()
	if out := r.done(t, root); out.Failed != 0 || out.Hits != 1 || r.opener.read.Load() != read+1 {
		t.Errorf("%+v, %d read\n%s", out.Summary, r.opener.read.Load()-read, r.report(t))
	}
}

// TestPasswordsAreTriedAgain: what was encrypted is read when passwords are given, and
// nothing else is.
func TestPasswordsAreTriedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.zip", box{Password: "secret", Holds: []held{file("a.jpg", knownPicture.bytes())}}.bytes())
	put(t, root, "b.zip", box{Holds: []held{file("b.jpg", picture{Salt: "b"}.bytes())}}.bytes())
	if out := r.done(t, root); out.Errors["media-encrypted"] != 1 || out.Hits != 0 {
		t.Fatalf("%+v", out.Summary)
	}
	if out := r.done(t, root, func(o *scan.Options) { o.Passwords = []string{"wrong"} }); out.Errors["media-encrypted"] != 1 || out.Hits != 0 {
		t.Fatalf("%+v", out.Summary)
	}
	read := r.opener.read.Load()
	out := r.done(t, root, func(o *scan.Options) { o.Passwords = []string{"wrong", "secret"} })
	if out.Hits != 1 || out.Failed != 0 || r.opener.read.Load() != read+1 {
		t.Errorf("%+v, %d read", out.Summary, r.opener.read.Load()-read)
	}
}

// TestAChildThatDies: what a container held when its child died is not lost for good.
func TestAChildThatDies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.zip", box{Holds: []held{file("a.jpg", knownPicture.bytes())}, End: "timeout"}.bytes())
	put(t, root, "c.zip", box{Open: "internal"}.bytes())
	out := r.done(t, root)
	if out.Failed != 2 || out.Hits != 1 {
		t.Fatalf("%+v", out.Summary)
	}
	opened := r.opener.opened.Load()
	if again := r.done(t, root); again.Failed != 2 || r.opener.opened.Load() != opened+2 {
		t.Errorf("%+v, %d opened", again.Summary, r.opener.opened.Load()-opened)
	}
}

// TestAFullDisk: large content that cannot be kept fails with a sentence, and is tried by
// the next run.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.zip", box{Holds: []held{{Entry: file("large", nil).Entry, Zero: 20 << 20}}}.bytes())
	ro := t.TempDir() + "/gone"
	r.Spool = ro
	out := r.done(t, root)
	if out.Errors["media-too-large"] != 1 || out.Failed != 1 { // for the tests' analyzer
		t.Fatalf("%+v", out.Summary)
	}
	put(t, root, "b.zip", box{Holds: []held{{Entry: file("large", nil).Entry, Zero: 20<<20 + 1}}}.bytes())
	r.opener.before = func(string) error { return os.Remove(ro) }
	out = r.done(t, root)
	if out.Errors["unavailable"] != 1 {
		t.Fatalf("%+v", out.Summary)
	}
	r.opener.before = nil
	if out = r.done(t, root); out.Errors["unavailable"] != 0 || out.Failed != 2 || out.Missing != 0 {
		t.Errorf("%+v", out.Summary)
	}
}

// TestAPictureThatFailsAndCarries: that something was found in a picture does not hide that
// the picture itself could not be looked at, in no run.
func TestAPictureThatFailsAndCarries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.jpg", box{Picture: "media-too-large", Holds: []held{file("motion.mp4", knownPicture.bytes())}}.bytes())
	for range 3 {
		if out := r.done(t, root); out.Errors["media-too-large"] != 1 || out.Failed != 1 || out.Hits != 1 || !strings.Contains(r.report(t), `"path":"a.jpg"`) || !strings.Contains(r.report(t), `"status":"failed","code":"media-too-large","reason":"it does not decode"`) {
			t.Fatalf("%+v\n%s", out.Summary, r.report(t))
		}
	}
}

func FuzzEntryName(f *testing.F) {
	for _, s := range []string{"", "a", "a/b", "/a", "a//b", "../a", "./a", "a/", "//", `a\2`, `\e`, "\x00", "a/../b"} {
		f.Add(s, "a/b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := scan.EntryName([]byte(a)), scan.EntryName([]byte(b))
		if x == y && strings.TrimSuffix(a, "/") != strings.TrimSuffix(b, "/") {
			t.Errorf("%q and %q are both %q", a, b, x)
		}
		if x == "" || strings.Contains(x, "//") || strings.HasPrefix(x, "/") || strings.HasSuffix(x, "/") || slices.Contains(strings.Split(x, "/"), "..") {
			t.Errorf("%q becomes %q", a, x)
		}
	})
}
