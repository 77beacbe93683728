package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"semblance"
)

// A Container is an open container: a caged child that goes through it. It is used by one
// goroutine, which closes it.
type Container struct {
	pool     *Pool
	c        *child
	ctx      context.Context
	unwat    func() bool
	facts    semblance.ContainerFacts
	ended    bool  // the child was given back or is gone
	lost     error // why it is gone
	buffer   []byte
	progress func(done, total int64) // may be nil
}

// OpenContainer opens what a file holds, in a child of its own, until it is closed or ctx
// ends. files are the container's parts in order; they are only read, and the caller
// closes them afterwards. progress is told of long work, in bytes; it may be nil. The
// container is nil, without an error, when the file is none.
// The error has the codes of semblance.Analyzer, and MediaEncrypted.
//
// A container that is open does not count among the workers that decode: its entries are
// decoded while it is open.
func (p *Pool) OpenContainer(ctx context.Context, files []semblance.ContainerFile, o semblance.ContainerOptions, progress func(done, total int64)) (*Container, error) {
	if len(files) == 0 {
		return nil, semblance.Errorf(semblance.Invalid, "a container needs a file")
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	c, err := p.take(ctx)
	if err != nil {
		p.sessions.Done()
		return nil, err
	}
	k := &Container{pool: p, c: c, ctx: ctx, progress: progress}
	c.files++
	c.mark = c.output.Total()
	k.unwat = context.AfterFunc(ctx, func() { c.kill(&fault{kind: faultCanceled, err: ctx.Err()}) })
	r, err := k.open(files, o)
	if err != nil || r.Facts == nil {
		return nil, errors.Join(err, k.Close())
	}
	c.worked++
	k.facts = *r.Facts
	return k, nil
}

// enter counts a container among what Close waits for.
func (p *Pool) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		return (&fault{kind: faultClosed}).public()
	default:
		p.sessions.Add(1)
		return nil
	}
}

func (k *Container) open(files []semblance.ContainerFile, o semblance.ContainerOptions) (*containerReply, error) {
	if err := k.c.limit(k.pool.opts.Limits.Memory, &k.pool.opts); err != nil {
		return nil, k.die(err)
	}
	for _, f := range files {
		if err := k.part(f); err != nil {
			return nil, err
		}
	}
	return k.ask(request{Open: &o})
}

func (k *Container) part(f semblance.ContainerFile) error {
	info, err := f.File.Stat()
	if err != nil {
		return semblance.Errorf(semblance.Internal, "the file cannot be looked at").WithCause(err)
	}
	own, err := reopenReadOnly(f.File)
	if err != nil {
		return semblance.Errorf(semblance.Internal, "the file cannot be handed to a worker read-only").WithCause(err)
	}
	defer own.Close()
	frame, err := marshalFrame(request{Part: &semblance.ContainerPart{Name: f.Name, Size: info.Size()}}, maxRequest)
	if err == nil {
		err = sendFrame(k.c.conn, frame, own)
	}
	if err != nil {
		return k.die(err)
	}
	return nil
}

// Facts are what is known of the container; complete after Next returned io.EOF.
func (k *Container) Facts() semblance.ContainerFacts { return k.facts }

// Next returns the next entry, io.EOF after the last. Another error ends the container:
// what came before stands.
func (k *Container) Next() (semblance.Entry, error) {
	r, err := k.ask(request{Next: true})
	switch {
	case err != nil:
		return semblance.Entry{}, err
	case r.End:
		return semblance.Entry{}, io.EOF
	case r.Entry == nil:
		return semblance.Entry{}, k.die(violate("neither an entry nor the end"))
	}
	if err := checkEntry(r.Entry); err != nil {
		return semblance.Entry{}, k.die(err)
	}
	return *r.Entry, nil
}

// Copy writes the content of the entry that Next gave last to w and returns how much it
// was. An error of w ends the container, because the child cannot be told to stop. A
// *semblance.Error of the content's own (damaged, encrypted) does not: the next entry can
// be asked for.
func (k *Container) Copy(w io.Writer) (n int64, err error) {
	if _, err := k.ask(request{Read: true}); err != nil {
		return 0, err
	}
	alarm, late := k.alarm()
	defer alarm.Stop()
	if k.buffer == nil {
		k.buffer = make([]byte, chunk)
	}
	for {
		alarm.Reset(late.limit)
		var h [header]byte
		if _, err := io.ReadFull(k.c.conn, h[:]); err != nil {
			return n, k.die(err)
		}
		size := binary.BigEndian.Uint32(h[:])
		if size == 0 {
			break
		}
		if size > chunk {
			return n, k.die(violate("%d bytes of content at once", size))
		}
		if _, err := io.ReadFull(k.c.conn, k.buffer[:size]); err != nil {
			return n, k.die(err)
		}
		if _, err := w.Write(k.buffer[:size]); err != nil {
			k.die(err)
			return n, err
		}
		n += int64(size)
	}
	_, err = k.answer(alarm, late)
	return n, err
}

// ask sends a request and waits for its answer. Errors that are about the container leave
// the child alive.
func (k *Container) ask(req request) (*containerReply, error) {
	if k.lost != nil {
		return nil, k.lost
	}
	frame, err := marshalFrame(req, maxRequest)
	if err == nil {
		_, err = k.c.conn.Write(frame)
	}
	if err != nil {
		return nil, k.die(err)
	}
	alarm, late := k.alarm()
	defer alarm.Stop()
	return k.answer(alarm, late)
}

// alarm kills a child that says nothing for as long as one file may take.
func (k *Container) alarm() (*time.Timer, *fault) {
	late := &fault{kind: faultDeadline, limit: k.pool.opts.Limits.Deadline}
	return time.AfterFunc(late.limit, func() { k.c.kill(late) }), late
}

func (k *Container) answer(alarm *time.Timer, late *fault) (*containerReply, error) {
	b := budget{bytes: 256 << 10, objects: 128, values: 4096}
	most := time.Now().Add(k.pool.opts.Limits.VideoDeadline)
	for far := int64(0); ; {
		if time.Now().Before(most) {
			alarm.Reset(late.limit)
		}
		frame, err := readFrame(k.c.conn, b.bytes)
		if err != nil {
			return nil, k.die(err)
		}
		r, err := parseReply(frame, b)
		if err != nil {
			return nil, k.die(err)
		}
		if r.Working != nil {
			if r.Working.Total > 0 && r.Working.Done > far { // it knows how far it is, and comes forward
				far, most = r.Working.Done, time.Now().Add(k.pool.opts.Limits.VideoDeadline)
			}
			if k.progress != nil {
				k.progress(max(0, r.Working.Done), max(0, r.Working.Total))
			}
			continue
		}
		return k.settle(r)
	}
}

func (k *Container) settle(r *reply) (*containerReply, error) {
	if r.Container != nil && r.Container.Facts != nil {
		f := r.Container.Facts
		f.Format, f.Notes = clean(f.Format, maxText), tidyTexts(f.Notes)
		k.facts = *f
	}
	if r.Error != nil {
		err := checkRemote(r.Error)
		var v *violation
		if errors.As(err, &v) {
			return nil, k.die(err)
		}
		return nil, err
	}
	if r.Container == nil {
		return nil, k.die(violate("no container"))
	}
	return r.Container, nil
}

// die ends the child and says what it died of.
func (k *Container) die(err error) error {
	if k.lost != nil {
		return k.lost
	}
	k.unwat()
	dead := k.c.condemn(err)
	k.ended = true
	defer k.pool.sessions.Done()
	ended := k.pool.give(k.c, dead)
	switch {
	case ended != nil:
		k.lost = ended.public()
	case k.ctx.Err() != nil:
		k.lost = k.ctx.Err()
		k.pool.forget(k.c)
	default:
		k.lost = dead
		k.pool.forget(k.c)
	}
	return k.lost
}

// Close gives the child back, or ends it when it is in the middle of something. It
// returns nil.
func (k *Container) Close() error {
	if k == nil || k.ended {
		return nil
	}
	if _, err := k.ask(request{Close: true}); err != nil {
		if !k.ended {
			_ = k.die(err)
		}
		return nil
	}
	k.ended = true
	if !k.unwat() { // it is being killed
		k.pool.forget(k.c)
		k.c.close()
	} else {
		k.pool.give(k.c, nil)
	}
	k.lost = semblance.Errorf(semblance.Internal, "the container is closed")
	k.pool.sessions.Done()
	return nil
}

// checkEntry refuses what no honest child says of an entry.
func checkEntry(e *semblance.Entry) error {
	switch e.Kind {
	case semblance.EntryFile, semblance.EntryFolder, semblance.EntryLink, semblance.EntrySpecial:
	default:
		return violate("an entry of kind %q", clip(string(e.Kind), 40))
	}
	switch e.Code {
	case "", semblance.MediaUnsupported, semblance.MediaDamaged, semblance.MediaTooLarge, semblance.MediaEncrypted, semblance.Unavailable:
	default:
		return violate("an entry of code %q", clip(string(e.Code), 40))
	}
	if len(e.Name) > maxEntryName || len(e.Origin) > maxEntryName || !utf8.ValidString(e.Origin) || len(e.Times) > maxEntryTimes || e.Size < -1 || e.Offset < -1 {
		return violate("an entry over its limits")
	}
	for _, t := range e.Times {
		if err := checkFileTime(t); err != nil {
			return err
		}
	}
	if e.Code != "" && e.Reason == "" || e.Reason != clean(e.Reason, maxText) || e.Target != clean(e.Target, maxText) {
		return violate("an entry without a proper sentence")
	}
	return nil
}

func checkFileTime(t semblance.FileTime) error {
	if t.What == "" || t.What != clean(t.What, 40) || t.Source != clean(t.Source, maxText) {
		return violate("a time of no name")
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if _, err := time.Parse(layout, t.Time); err == nil {
			return nil
		}
	}
	return violate("a time that is none")
}
