package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"sync"
	"syscall"

	"semblance"
	"semblance/hashing"
)

// A result is what became of one item, waiting for its turn to be stored.
type result struct {
	record   semblance.ItemRecord
	status   semblance.ItemStatus // of this run
	media    *semblance.Media
	findings *semblance.Findings
	write    bool             // false: nothing to store (unchanged)
	known    semblance.SHA256 // of an unchanged item
	same     bool             // the file is as an earlier run recorded it
	held     bool             // the file is ours, and nobody changes it
	unread   bool             // the disk did not give all of the file: it has no digests
	read     int64
	decoded  bool
	plain    bool  // it was looked at, and is no container
	after    bool  // it is large, and may be a container: its digests are made when all that it holds was examined
	err      error // about the run, not the item

	prior *semblance.ItemState // what earlier runs recorded; nil: nothing

	opens       bool             // the item of a container, stored before those inside of it
	closes      *slot            // the same once more, after them: made from this slot when that is stored
	below       *semblance.Below // of an unchanged container: what is recorded inside of it
	belowFailed []semblance.Item
}

// A job is one item to examine.
type job struct {
	found
	entry   *semblance.Entry     // of a container; nil: a file of the exhibit
	content *content             // of an entry that has to be read
	within  *expansion           // of an entry
	below   *semblance.Below     // of an entry that is a container, when it is known
	prior   *semblance.ItemState // what is recorded of an entry
	asked   bool                 // prior is what the record says
}

// work fills a slot. A panic is an error of the run, with its stack: an item must never
// disappear silently.
func (r *run) work(ctx context.Context, s *slot) {
	res := &result{status: semblance.ItemNew, write: true}
	defer func() {
		if p := recover(); p != nil {
			res = &result{err: semblance.Errorf(semblance.Internal, "examining %q stopped unexpectedly", s.path).
				WithCause(errors.New(string(debug.Stack())))}
		}
		s.fill(res)
	}()
	f := r.item(ctx, s, res)
	if res.write && res.err == nil && !res.after {
		res.err = r.name(ctx, res)
	}
	if f != nil && res.err == nil && r.expand(ctx, s, f, res) {
		return
	}
	if res.after && res.err == nil {
		*res = *r.digestLate(ctx, f, res)
	}
	s.close(f)
}

// item does all the work of one item, but for what is inside of it. It returns the file
// when that may be a container that is to be opened; the caller closes it.
func (r *run) item(ctx context.Context, s *slot, res *result) *os.File {
	it := &res.record.Item
	*it = semblance.Item{Exhibit: r.exhibit.ID, Path: s.path, Status: semblance.ItemNew, Plan: r.Plan.Fingerprint}
	s.describe(it)
	prior, known, err := r.recorded(ctx, s)
	if err != nil {
		res.err = err
		return nil
	}
	if known {
		res.prior = &prior
	}
	defer func() {
		if res.status == semblance.ItemFailed && it.SHA256 == nil && prior.SHA256 != (semblance.SHA256{}) {
			res.write = false // what was recorded when it could be read, with what was found in it, is kept
		}
	}()
	switch {
	case s.fail != nil:
		res.fail(s.fail)
		return nil
	case s.skip != nil:
		res.set(semblance.ItemUnsupported, s.skip.Code, s.skip.Msg)
		return nil
	}
	res.same, res.held = known && s.unchanged(prior, it), s.entry != nil
	if res.same && prior.Plan == r.Plan.Fingerprint && !r.retry(prior.Code) {
		res.status, res.write, res.known = semblance.ItemUnchanged, false, prior.SHA256
		if prior.Status == semblance.ItemFailed && prior.Opened == semblance.NotOpened {
			res.err = r.stillFailed(ctx, prior, res)
		}
		return r.reopen(ctx, s, prior, res)
	}
	if s.entry != nil && r.retry(prior.Code) {
		res.same = false // its digests may be those of what could be read then
	}
	if c := s.content; c != nil && c.err != nil && c.size == 0 {
		res.fail(c.err) // of nothing there are no digests, and it is not empty
		return nil
	}
	f, err := s.open()
	if err != nil {
		res.fail(unreadable("file", err))
		return nil
	}
	if s.entry == nil && r.Opener != nil && it.Size >= r.Large && prior.SHA256 == (semblance.SHA256{}) && beginsAsContainer(f) && !laterSegment(s.os, exists) {
		res.after = true
		return f
	}
	res.err = r.examine(ctx, f, prior, res)
	if s.content != nil && s.content.err != nil && res.err == nil {
		why := s.content.err
		res.set(semblance.ItemFailed, why.Code, why.Msg)
		if s.content.size < s.entry.Size {
			res.record.Item.Reason += fmt.Sprintf("; its digests are of the %d bytes that could be read", s.content.size)
		}
	}
	return f
}

// recorded returns what is recorded of the item.
func (r *run) recorded(ctx context.Context, s *slot) (semblance.ItemState, bool, error) {
	switch {
	case s.prior != nil:
		return *s.prior, true, nil
	case s.asked || r.before == 0:
		return semblance.ItemState{}, false, nil
	}
	return r.Record.ItemState(ctx, r.exhibit.ID, s.path)
}

// describe copies what the file system, or the container, says of the item.
func (j *job) describe(it *semblance.Item) {
	e := j.entry
	if e == nil {
		describe(it, j.info)
		return
	}
	it.Size, it.Modified, it.Inode = max(0, e.Size), modified(e.Times), e.Inode
	if j.content != nil {
		if it.Size = j.content.size; j.content.err != nil {
			it.Size = max(it.Size, e.Size) // what there was of it is not all
		}
	}
	it.Times, it.Deleted, it.Carved, it.Device = e.Times, e.Deleted, e.Carved, escape(e.Origin)
	if e.Offset >= 0 {
		it.Offset = &e.Offset
	}
	if e.Code == "" { // else it says why it cannot be read
		it.Remark = e.Reason
	}
}

// unchanged reports whether the item is as it was recorded. An entry is when its container
// is the same bytes.
func (j *job) unchanged(p semblance.ItemState, it *semblance.Item) bool {
	if j.entry != nil {
		return j.within.same && p.SHA256 != semblance.SHA256{}
	}
	return unchanged(p, it)
}

// name looks for selectors in the item's path.
func (r *run) name(ctx context.Context, res *result) error {
	it := &res.record.Item
	x, err := r.Examiner.ExamineName(ctx, r.Plan, it.Path)
	if err != nil {
		return err
	}
	res.record.Name = &x
	if it.SHA256 == nil && len(x.Hits) > 0 { // a finding is about content, and of this there is none
		it.Reason += fmt.Sprintf("; and its name has the %s %s of collection %s", x.Hits[0].Kind(), x.Hits[0].Value, x.Hits[0].Collection)
	}
	return nil
}

// stillFailed says again what an earlier run recorded of a file that has not
// changed: a failure is told by every run until it is mended.
func (r *run) stillFailed(ctx context.Context, prior semblance.ItemState, res *result) error {
	known, err := r.Scanner.Media.Media(ctx, prior.SHA256)
	if err != nil {
		return err
	}
	reason := "it failed in an earlier run"
	if known[0] != nil && known[0].Reason != "" {
		reason = known[0].Reason
	}
	res.set(semblance.ItemFailed, prior.Code, reason)
	return nil
}

// set says what became of the item, now and in the record.
func (res *result) set(status semblance.ItemStatus, code semblance.Code, reason string) {
	it := &res.record.Item
	res.status, it.Status, it.Code, it.Reason = status, status, code, reason
}

// describe copies what the file system says.
func describe(it *semblance.Item, info fs.FileInfo) {
	if info == nil {
		return
	}
	it.Size, it.Modified = info.Size(), info.ModTime().UTC()
	it.Inode, it.Changed = inode(info)
	if !info.Mode().IsRegular() {
		it.Size = 0
	}
}

// unchanged reports whether a file is as it was recorded with its digests.
func unchanged(p semblance.ItemState, it *semblance.Item) bool {
	return stayed(p, it) && p.SHA256 != semblance.SHA256{}
}

// stayed reports whether a file is as it was recorded: size, both times and inode. The time
// of change cannot be set by a program, so a file that was rewritten with its old
// modification time is seen.
func stayed(p semblance.ItemState, it *semblance.Item) bool {
	return p.Size == it.Size && p.Modified == it.Modified.UnixNano() && p.Changed == it.Changed.UnixNano() && p.Inode == it.Inode
}

// again reports whether a recorded failure is worth another try: it was about
// this machine or the moment, not about the file.
func again(c semblance.Code) bool {
	switch c {
	case "", semblance.MediaUnsupported, semblance.MediaDamaged, semblance.MediaTooLarge, semblance.MediaEncrypted:
		return false
	}
	return true
}

// fail records the item as failed.
func (res *result) fail(why *semblance.Error) { res.set(semblance.ItemFailed, why.Code, why.Msg) }

// open opens the item for reading.
func (j *job) open() (*os.File, error) {
	if j.entry == nil {
		return openRegular(j.os)
	}
	if j.content == nil {
		return nil, errors.New("the entry was not read")
	}
	return j.content.file, nil
}

// close ends what open gave, which may be nothing, and lets go of the content of an entry.
func (j *job) close(f *os.File) {
	switch {
	case j.content != nil:
		j.content.close()
	case f != nil:
		f.Close()
	}
}

// beginsAsContainer reports whether a file is to be looked into first if it is large and no
// further segment of another.
func beginsAsContainer(f *os.File) bool {
	head := make([]byte, semblance.HoldsHead)
	n, err := f.ReadAt(head, 0)
	return (err == nil || errors.Is(err, io.EOF)) && semblance.Holds(head[:n])
}

func (r *run) examine(ctx context.Context, f *os.File, prior semblance.ItemState, res *result) error {
	for try := 0; ; try++ {
		digests, known, err := r.digestsOf(ctx, f, prior, res)
		if err != nil || res.status == semblance.ItemFailed {
			return err
		}
		err = r.compare(ctx, f, digests, known, res)
		if !errors.Is(err, error(errChanged)) {
			return err
		}
		res.record.Item.SHA256 = nil // of bytes that are gone
		if try == 1 {
			res.fail(changedWhile("examined"))
			return nil
		}
		res.same = false
	}
}

// compare examines a media whose digests are known. The error is errChanged when
// the file does not have them any more.
func (r *run) compare(ctx context.Context, f *os.File, digests hashing.Digests, known *semblance.Media, res *result) error {
	sum := semblance.SHA256(digests.SHA256)
	res.record.Item.SHA256 = &sum
	if digests.Size == 0 {
		res.set(semblance.ItemUnsupported, semblance.MediaUnsupported, "the file is empty")
		res.media = &semblance.Media{Digests: digests, Code: semblance.MediaUnsupported, Reason: "the file is empty"}
		res.record.Media = res.media
		return nil
	}
	x, first, err := r.flight.do(ctx, sum, func() (semblance.Examination, error) {
		x, err := r.Examiner.Examine(ctx, r.Plan, digests, known, f, path.Base(res.record.Item.Path))
		if err == nil && !res.stands(f) {
			err = errChanged // what was decoded may not be what was digested
		}
		return x, err
	})
	if err != nil {
		return err
	}
	res.decoded, res.plain = first && x.Decoded, first && x.Plain // another's may have another name
	res.set(x.Status, x.Media.Code, x.Media.Reason)
	res.media, res.findings = &x.Media, &x.Findings
	if x.Decoded || x.Added || known == nil || known.Code != x.Media.Code {
		res.record.Media = res.media
	}
	res.record.Findings = res.findings
	return nil
}

// errChanged says that a file is not what its digests were made of.
var errChanged = semblance.Errorf(semblance.Conflict, "the file changed")

func changedWhile(what string) *semblance.Error {
	return semblance.Errorf(semblance.Conflict, "the file changed while it was %s, twice; scan a copy that nobody writes to, or a read-only mount", what)
}

// stands reports whether an open file is still as the item describes it.
func (res *result) stands(f *os.File) bool {
	if res.held {
		return true
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	var now semblance.Item
	describe(&now, info)
	it := &res.record.Item
	return now.Size == it.Size && now.Modified.Equal(it.Modified)
}

// digestsOf gives the digests of a file: from the store when it is unchanged and
// known, else by reading it.
func (r *run) digestsOf(ctx context.Context, f *os.File, prior semblance.ItemState, res *result) (hashing.Digests, *semblance.Media, error) {
	if res.same {
		known, err := r.Scanner.Media.Media(ctx, prior.SHA256)
		if err != nil {
			return hashing.Digests{}, nil, err
		}
		if known[0] != nil && res.stands(f) {
			return known[0].Digests, known[0], nil
		}
	}
	digests, why, err := r.read(ctx, f, res)
	if err != nil || why != nil {
		if why != nil {
			res.fail(why)
		}
		return digests, nil, err
	}
	known, err := r.Scanner.Media.Media(ctx, digests.SHA256)
	if err != nil {
		return digests, nil, err
	}
	return digests, known[0], nil
}

// read digests an open file and makes sure that it did not change meanwhile: it
// is read once more when it did, and fails when it does so again.
func (r *run) read(ctx context.Context, f *os.File, res *result) (hashing.Digests, *semblance.Error, error) {
	for try := 0; ; try++ {
		before, err := f.Stat()
		if err != nil {
			return hashing.Digests{}, unreadable("file", err), nil
		}
		if !res.held {
			describe(&res.record.Item, before)
		}
		if _, err := f.Seek(0, 0); err != nil {
			return hashing.Digests{}, unreadable("file", err), nil
		}
		d, err := r.watched(ctx, f, before.Size(), res)
		if ctx.Err() != nil {
			return d, nil, ctx.Err()
		}
		if err != nil {
			res.unread = true
			return d, unreadable("file", err), nil
		}
		res.read += d.Size
		if d.Size == before.Size() && res.stands(f) {
			return d, nil, nil
		}
		if try == 1 {
			return d, changedWhile("read"), nil
		}
	}
}

// watched makes the digests of a file, and says how far it is with a large one.
func (r *run) watched(ctx context.Context, f *os.File, size int64, res *result) (hashing.Digests, error) {
	if size < workLarge {
		return r.digests(ctx, f)
	}
	w := r.works.begin(res.record.Item.Path, WorkDigests, r.now)
	defer w.end()
	return r.digests(ctx, &workReader{r: f, w: w, size: size})
}

// openRegular opens a file for reading without following a symbolic link that
// took its place and without touching its access time where the system allows.
func openRegular(path string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_CLOEXEC
	f, err := os.OpenFile(path, flags|noAtime, 0)
	if errors.Is(err, syscall.EPERM) { // another user's file: O_NOATIME is its owner's
		f, err = os.OpenFile(path, flags, 0)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = syscall.ENOENT // it was a regular file when it was listed
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// A flight lets one lane examine a media while others that have the same content
// wait for its answer.
type flight struct {
	mu    sync.Mutex
	calls map[semblance.SHA256]*call
}

type call struct {
	done chan struct{}
	x    semblance.Examination
	err  error
	uses int
}

// do returns f's examination of sum, made once for as long as it is kept; first
// tells who made it. land forgets it. One of a file that changed is nobody
// else's: those who waited for it make their own.
func (fl *flight) do(ctx context.Context, sum semblance.SHA256, f func() (semblance.Examination, error)) (x semblance.Examination, first bool, err error) {
	for {
		x, first, err = fl.once(ctx, sum, f)
		if first || !errors.Is(err, error(errChanged)) {
			return x, first, err
		}
	}
}

func (fl *flight) once(ctx context.Context, sum semblance.SHA256, f func() (semblance.Examination, error)) (x semblance.Examination, first bool, err error) {
	fl.mu.Lock()
	c, ok := fl.calls[sum]
	if !ok {
		c = &call{done: make(chan struct{})}
		fl.calls[sum] = c
	}
	c.uses++
	fl.mu.Unlock()
	if !ok {
		func() {
			defer close(c.done)
			c.err = semblance.Errorf(semblance.Internal, "an examination stopped unexpectedly") // unless it returns
			if c.x, c.err = f(); errors.Is(c.err, error(errChanged)) {
				fl.forget(sum)
			}
		}()
		return c.x, true, c.err
	}
	select {
	case <-c.done:
		return c.x, false, c.err
	case <-ctx.Done():
		return x, false, ctx.Err()
	}
}

func (fl *flight) forget(sum semblance.SHA256) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	delete(fl.calls, sum)
}

// land forgets an examination when everyone who used it is stored.
func (fl *flight) land(sum semblance.SHA256) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if c, ok := fl.calls[sum]; ok {
		if c.uses--; c.uses <= 0 {
			delete(fl.calls, sum)
		}
	}
}
