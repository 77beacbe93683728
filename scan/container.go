package scan

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"semblance"
)

// An Opener opens containers. A pool of workers is one.
type Opener interface {
	// OpenContainer opens what files hold together, until it is closed or ctx ends. It is
	// nil, without an error, when the first file is no container. files are only read.
	OpenContainer(ctx context.Context, files []semblance.ContainerFile, o semblance.ContainerOptions, progress func(done, total int64)) (Container, error)
}

// A Container is an open container, used by one goroutine.
type Container interface {
	// Next returns the next entry, io.EOF after the last. Another error ends the container.
	Next() (semblance.Entry, error)
	// Copy writes the content of the entry that Next gave last. A *semblance.Error is
	// about the content; an error of w ends the container.
	Copy(w io.Writer) (int64, error)
	// Facts are complete after io.EOF.
	Facts() semblance.ContainerFacts
	Close() error
}

// The limits that hold unless Options says otherwise.
const (
	// DefaultDepth is how many containers may lie in each other: mail in an archive in a
	// backup in an image is four.
	DefaultDepth = 16
	// DefaultExpansion is how many times its own size a container may hold, all that lies
	// in its containers included, above freeExpansion. Deflate packs at most 1,032 to one;
	// what people pack is under ten, and logs under a hundred.
	DefaultExpansion = 200
	// DefaultLarge is from how many bytes on a container is looked into before it is read
	// from beginning to end for its digests: of a terabyte, that takes hours.
	DefaultLarge  = 1 << 30
	freeExpansion = 1 << 30
	entryCost     = 512 // bytes that an entry counts for, beside its content
)

// ahead is how many items of a container may wait for the store, and inFlight how many
// bytes of their content for a lane.
const (
	ahead    = 64
	inFlight = 64 << 20
)

// A bomb counts down what may still come out of one file of the exhibit.
type bomb struct {
	left  atomic.Int64
	times int64
}

// take counts n bytes and reports whether they may still come.
func (b *bomb) take(n int64) bool { return b.left.Add(-n) >= 0 }

func (b *bomb) error() *semblance.Error {
	return semblance.Errorf(semblance.MediaTooLarge, "what it holds is more than %d times its size (and 1 GiB); the rest was not examined. It may have been made to exhaust examiners", b.times).
		WithHint("When it is what it seems, allow more with --expansion.")
}

// pictureFormat is the format of pictures that carry something: they are pictures first,
// and what became of them as such stands.
const pictureFormat = "picture"

// An expansion is one container being gone through.
type expansion struct {
	*run
	of     *slot
	file   *os.File // the container
	sum    semblance.SHA256
	parent *expansion
	depth  int
	same   bool // the bytes are those an earlier run went through
	bomb   *bomb
	names  map[uint64]int
	seed   maphash.Seed
	flight *budget
}

// expand has an item opened when it may be a container, beside the lanes, and reports
// whether it took the file.
func (r *run) expand(ctx context.Context, s *slot, f *os.File, res *result) bool {
	it := &res.record.Item
	if r.Opener == nil || it.SHA256 == nil && !res.unread && !res.after || it.Size == 0 || it.Status == semblance.ItemKnownGood {
		return false
	}
	if it.SHA256 == nil && !res.write {
		return false // an earlier run read all of it, and what that found is kept
	}
	if s.content == nil && numbered(s.os) && res.later(s.os) {
		return false // whatever it looks like
	}
	if res.plain && !s.again {
		return false
	}
	if !s.again && !mayHold(f, it.Size) {
		return false
	}
	if s.content == nil && !numbered(s.os) && res.later(s.os) {
		return false
	}
	var sum semblance.SHA256 // none where parts of the file cannot be read: what can be is gone through
	if it.SHA256 != nil {
		sum = *it.SHA256
	}
	x := &expansion{run: r, of: s, file: f, sum: sum, parent: s.within, depth: 1,
		same:  res.prior != nil && (it.SHA256 != nil && res.prior.SHA256 == sum || res.after && stayed(*res.prior, it)),
		names: map[uint64]int{}, seed: maphash.MakeSeed(), flight: newBudget(inFlight)}
	if p := s.within; p != nil {
		x.depth, x.bomb = p.depth+1, p.bomb
	} else {
		x.bomb = &bomb{times: r.Expansion}
		x.bomb.left.Store(expansionLimit(it.Size, r.Expansion, r.free))
	}
	s.inside, s.front, s.opened = make(chan *slot, ahead), make(chan struct{}), make(chan struct{})
	r.line.makers.Add(1)
	go x.run1(ctx)
	return true
}

func expansionLimit(size, times, free int64) int64 {
	if free == 0 {
		free = freeExpansion
	}
	const most = 1 << 62
	if size > (most-free)/times {
		return most
	}
	return size*times + free
}

// heads are buffers for what files begin with: each lane uses one at a time.
var heads = sync.Pool{New: func() any { return new([semblance.CarriesHead]byte) }}

// later reports whether a file is a further segment of a container, which is opened by its
// first, and says so.
func (res *result) later(path string) bool {
	if !laterSegment(path, exists) {
		return false
	}
	if it := &res.record.Item; it.Code == semblance.MediaUnsupported {
		it.Reason = "a further segment of an image or an archive, which is read together with its first"
	}
	return true
}

// numbered reports whether a name ends in a digit, as those of most segments do.
func numbered(path string) bool {
	c := path[len(path)-1]
	return c >= '0' && c <= '9'
}

// mayHold asks what a file's first and last bytes tell, as far as they can be read.
func mayHold(f *os.File, size int64) bool {
	buf := heads.Get().(*[semblance.CarriesHead]byte)
	defer heads.Put(buf)
	head, tail := buf[:min(size, semblance.CarriesHead)], make([]byte, min(size, semblance.CarriesTail))
	n, err := f.ReadAt(head, 0)
	m, err2 := f.ReadAt(tail, size-int64(len(tail)))
	unread := func(err error) bool { return err != nil && !errors.Is(err, io.EOF) }
	if unread(err) && unread(err2) {
		return false
	}
	return semblance.MayHold(head[:n], tail[:m])
}

// run1 goes through the container, once. Whatever happens, the slot learns of it.
func (x *expansion) run1(ctx context.Context) {
	s := x.of
	open := false
	defer x.line.makers.Done()
	defer close(s.inside)
	defer func() {
		if p := recover(); p != nil {
			s.err = semblance.Errorf(semblance.Internal, "going through %q stopped unexpectedly", s.path).WithCause(errors.New(string(debug.Stack())))
		}
		if !open {
			close(s.opened)
		}
		s.close(x.file)
	}()
	<-s.done
	if !x.share.open(ctx, s.front) {
		s.err = ctx.Err()
		return
	}
	defer x.share.containers.give()
	files, missing, closeAll, err := x.files()
	defer closeAll()
	var c Container
	inside := x.works.begin(s.path, WorkInside, x.now)
	defer inside.end()
	if err == nil {
		o := semblance.ContainerOptions{Passwords: x.Passwords, Unalloc: true, Verify: true, Last: x.large(files), Acquired: x.acquired(), Missing: missing}
		c, err = x.Opener.OpenContainer(ctx, files, o, inside.set)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		s.err = err
		return
	case err == nil && c == nil:
		if s.again { // it was one: an older program, or another's
			s.end = &semblance.Opened{Complete: true}
		}
		inside.end()
		x.digestsAfter(ctx, false)
		return
	}
	s.end = &semblance.Opened{}
	whole := s.content == nil || s.content.err == nil // else that is the failure, whatever it holds
	opens := whole && (err != nil || c.Facts().Format != pictureFormat)
	if opens {
		s.res.opened(s.again)
	}
	s.res.record.Item.Opened = &semblance.Opened{}
	if err == nil { // what is known of one that is never gone through to its end
		s.res.record.Item.Opened.ContainerFacts = c.Facts()
	}
	open = true
	close(s.opened)
	if err == nil {
		defer c.Close()
		err = x.entries(ctx, c)
		s.end.ContainerFacts = c.Facts()
		c.Close() // what follows takes long
		inside.end()
	}
	s.ends(err)
	if s.end.Complete {
		if x.digestsAfter(ctx, true); s.late != nil && opens {
			s.late.opened(false)
		}
	}
}

// opened takes back that the item is no picture, for which it is no failure of a container.
func (res *result) opened(again bool) {
	switch it := &res.record.Item; {
	case again && it.Status == semblance.ItemFailed, it.Code == semblance.MediaUnsupported, it.Code == semblance.MediaTooLarge:
		res.set(semblance.ItemNew, "", "")
	}
}

// digestsAfter makes the digests of a large file when all that it holds, if anything, was
// examined.
func (x *expansion) digestsAfter(ctx context.Context, held bool) {
	s := x.of
	if !s.res.after {
		return
	}
	s.late = x.digestLate(ctx, x.file, s.res)
	is, was := &s.late.record.Item, &s.res.record.Item
	if held && s.late.err == nil && (is.Size != was.Size || !is.Modified.Equal(was.Modified)) { // what it held is not what it holds
		s.late = &result{status: semblance.ItemNew, write: true, prior: s.res.prior, record: semblance.ItemRecord{Item: *was}}
		s.late.fail(semblance.Errorf(semblance.Conflict, "the file changed while what it holds was examined; scan a copy that nobody writes to, or a read-only mount"))
		s.late.err = x.name(ctx, s.late)
	}
	s.err = s.late.err
}

// digestLate examines a file of which res says nothing yet.
func (r *run) digestLate(ctx context.Context, f *os.File, res *result) *result {
	late := &result{status: semblance.ItemNew, write: true, prior: res.prior}
	it := &late.record.Item
	*it = res.record.Item
	it.Status, it.Code, it.Reason, it.Opened = semblance.ItemNew, "", "", nil
	if late.err = r.examine(ctx, f, semblance.ItemState{}, late); late.err == nil {
		late.err = r.name(ctx, late)
	}
	return late
}

// large reports whether a container is so large that it is looked into before its digests
// are made.
func (x *expansion) large(files []semblance.ContainerFile) bool {
	var size int64
	for _, f := range files {
		if info, err := f.File.Stat(); err == nil {
			size += info.Size()
		}
	}
	return x.of.within == nil && size >= x.Large
}

// ends records how the container ended; nil is its end.
func (s *slot) ends(err error) {
	switch {
	case err == nil:
		s.end.Complete = true
	case errors.Is(err, error(errFirst)):
		s.cut = true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		s.err = err
	default:
		s.end.Complete = true
		s.end.Code, s.end.Reason = semblance.CodeOf(err), publicSentence(err)
	}
}

func publicSentence(err error) string {
	var e *semblance.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return "it could not be gone through"
}

// entries makes an item of each entry. The error says why it ended before the end.
func (x *expansion) entries(ctx context.Context, c Container) error {
	if x.depth > x.Depth {
		return semblance.Errorf(semblance.MediaTooLarge, "containers lie in each other more than %d deep; this one was not opened", x.Depth).WithHint("Allow more with --depth.")
	}
	for p := x.parent; p != nil; p = p.parent {
		if p.sum == x.sum && x.sum != (semblance.SHA256{}) {
			return semblance.Errorf(semblance.MediaTooLarge, "it holds itself; it was opened once")
		}
	}
	for {
		if x.late() {
			return errFirst
		}
		e, err := c.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Kind == semblance.EntryFolder {
			continue
		}
		if !x.bomb.take(entryCost) {
			return x.bomb.error()
		}
		if err := x.entry(ctx, c, e); err != nil {
			return err
		}
	}
}

// entry makes an item of one entry and hands it to a lane.
func (x *expansion) entry(ctx context.Context, c Container, e semblance.Entry) error {
	j := job{found: found{path: x.path(e.Name)}, entry: &e, within: x}
	var ended error
	switch {
	case e.Kind == semblance.EntryLink:
		j.skip = semblance.Errorf(semblance.MediaUnsupported, "a link to %q; links are recorded and not followed", escape(e.Target))
	case e.Kind != semblance.EntryFile:
		j.skip = semblance.Errorf(semblance.MediaUnsupported, "not a file; it is recorded and not read")
	case e.Code != "":
		j.fail = semblance.Errorf(e.Code, "%s", e.Reason)
	default:
		skip, below, err := x.settled(ctx, &j)
		if err != nil {
			return err
		}
		if skip {
			j.below = below
			break
		}
		j.content, ended = x.read(ctx, c, &e)
		if j.content == nil {
			return ended
		}
	}
	s := newSlot(j)
	select {
	case x.of.inside <- s:
	case <-ctx.Done():
		j.close(nil)
		return ctx.Err()
	}
	x.of.end.Entries++
	x.totals.items.Add(1)
	x.totals.bytes.Add(max(0, e.Size))
	x.line.give(ctx, s)
	return ended
}

// settled reports whether nothing is to be done about an entry: an earlier run examined
// the same bytes under the same plan, and all that is inside of them.
func (x *expansion) settled(ctx context.Context, j *job) (bool, *semblance.Below, error) {
	if !x.same {
		return false, nil, nil
	}
	prior, known, err := x.Record.ItemState(ctx, x.exhibit.ID, j.path)
	if err != nil {
		return false, nil, err
	}
	j.prior, j.asked = &prior, true
	if !known {
		j.prior = nil
	}
	if !known || !j.unchanged(prior, nil) || prior.Plan != x.Plan.Fingerprint || x.retry(prior.Code) {
		return false, nil, nil
	}
	return x.settledInside(ctx, j.path, prior)
}

// retry reports whether a failure is worth another try.
func (r *run) retry(code semblance.Code) bool {
	return again(code) || code == semblance.MediaEncrypted && len(r.Passwords) > 0
}

func (r *run) settledInside(ctx context.Context, path string, prior semblance.ItemState) (bool, *semblance.Below, error) {
	switch prior.Opened {
	case semblance.NotOpened:
		return true, nil, nil
	case semblance.HalfOpened:
		return false, nil, nil
	}
	b, err := r.Record.Below(ctx, r.exhibit.ID, path, r.retry)
	if err != nil {
		return false, nil, err
	}
	for _, plan := range b.Plans {
		if plan != r.Plan.Fingerprint {
			return false, nil, nil
		}
	}
	return b.HalfOpen == 0 && b.Transient == 0, &b, nil
}

// reopen decides what is to be done about an unchanged item: nothing, where it is no
// container or an earlier run went through all of it, or to go through it again. It
// returns the file for that.
func (r *run) reopen(ctx context.Context, s *slot, prior semblance.ItemState, res *result) *os.File {
	if prior.Opened == semblance.NotOpened || res.err != nil {
		return nil
	}
	done, below := s.below != nil, s.below
	if !done {
		done, below, res.err = r.settledInside(ctx, s.path, prior)
	}
	if res.err != nil {
		return nil
	}
	it := &res.record.Item
	if done {
		res.below = below
		if below.Errors != nil && (below.ByStatus[semblance.ItemFailed] > 0 || prior.Status == semblance.ItemFailed) {
			res.belowFailed, res.err = r.Record.FailedBelow(ctx, r.exhibit.ID, s.path)
		}
		if n := len(res.belowFailed); n > 0 && res.belowFailed[0].Path == s.path {
			res.set(semblance.ItemFailed, res.belowFailed[0].Code, res.belowFailed[0].Reason)
			res.belowFailed = res.belowFailed[1:]
		}
		return nil
	}
	f, err := s.open()
	if err != nil {
		res.fail(unreadable("file", err))
		return nil
	}
	s.again = true
	it.SHA256, it.Status = &prior.SHA256, prior.Status
	if it.Status == semblance.ItemFailed { // as a picture, or at its end: what it is tells when it is opened
		var own []semblance.Item
		if own, res.err = r.Record.FailedBelow(ctx, r.exhibit.ID, s.path); len(own) > 0 && own[0].Path == s.path {
			it.Code, it.Reason = own[0].Code, own[0].Reason
		}
	}
	return f
}

// close makes the result of a container's item once more, when all inside of it is stored,
// of what the first became when it was stored.
func (r *run) close(res *result) error {
	s := res.closes
	if s.late == nil {
		res.record.Item, res.status, res.media, res.prior, res.write = s.res.record.Item, s.res.status, s.res.media, s.res.prior, true
	} else {
		*res = *s.late
		res.closes = s
		if err := r.place(res); err != nil {
			return err
		}
	}
	res.record.Item.Opened = s.end
	if s.end.Code != "" && s.end.Format != pictureFormat {
		res.set(semblance.ItemFailed, s.end.Code, s.end.Reason)
	}
	if res.record.Item.Status == semblance.ItemFailed {
		res.status = semblance.ItemFailed
	}
	return nil
}

// path makes the path of an entry: every name becomes harmless text, and no two entries
// have the same. What the container says is to be seen in it: an absolute name begins with
// \x2f, ".." is \x2e\x2e, the second entry of a name ends in \2.
func (x *expansion) path(name []byte) string {
	n := entryName(name)
	key := maphash.String(x.seed, n)
	x.names[key]++
	if count := x.names[key]; count > 1 {
		n += fmt.Sprintf(`\%d`, count)
	}
	return x.of.path + semblance.ContainerSeparator + n
}

func entryName(name []byte) string {
	if len(name) == 0 {
		return `\e` // no name at all
	}
	parts := strings.Split(string(name), "/")
	var b strings.Builder
	for i, p := range parts {
		switch p {
		case "":
			if i < len(parts)-1 { // a slash that would leave an empty name between two
				b.WriteString(`\x2f`)
			}
			continue
		case ".":
			b.WriteString(`\x2e`)
		case "..":
			b.WriteString(`\x2e\x2e`)
		default:
			b.WriteString(escape(p))
		}
		if i < len(parts)-1 && (i < len(parts)-2 || parts[i+1] != "") {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// files opens the further segments of a container, and names those that lack between them.
// closeAll closes those it opened.
func (x *expansion) files() (files []semblance.ContainerFile, missing []string, closeAll func(), err error) {
	name := filepath.Base(x.of.path)
	closeAll = func() {
		for _, f := range files[1:] {
			f.File.Close()
		}
	}
	files = []semblance.ContainerFile{{Name: name, File: x.file}}
	if x.of.content != nil || x.of.within != nil {
		return files, nil, closeAll, nil
	}
	more, missing := segments(x.of.os, exists)
	for _, p := range more {
		f, err := openRegular(p)
		if err != nil {
			return files, nil, closeAll, semblance.Errorf(semblance.MediaDamaged, "its segment %s cannot be read", escape(filepath.Base(p))).WithCause(err)
		}
		files = append(files, semblance.ContainerFile{Name: filepath.Base(p), File: f})
	}
	for i, m := range missing {
		missing[i] = escape(m)
	}
	return files, missing, closeAll, nil
}

// acquired are the digests stated beside an image.
func (x *expansion) acquired() []string {
	if x.of.content != nil || x.of.within != nil {
		return nil
	}
	return statedDigests(x.of.os)
}

// modified is the entry's time of modification where its zone is known.
func modified(times []semblance.FileTime) time.Time {
	for _, t := range times {
		if t.What == "modified" {
			if at, err := time.Parse(time.RFC3339Nano, t.Time); err == nil {
				return at.UTC()
			}
		}
	}
	return time.Time{}
}
