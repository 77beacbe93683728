package digestset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"semblance"
	"semblance/hashing"
)

const (
	quarantineName = "quarantine.tsv"
	runsExt        = ".runs"
	fileExt        = ".digests"
	// quarantineRows bounds the side file; rows beyond are counted.
	quarantineRows = 1_000_000
	// hopeless is after how many rows without a good one a source is refused: it is
	// not of the format it is said to be.
	hopeless = 1000
	// tick is how often somebody is told, in rows.
	tick = 1 << 16
)

// A builder makes one set of one source.
type builder struct {
	progress
	o       *Options
	d       *disk
	dir     string
	src     semblance.DigestSource
	end     int64
	tell    func(semblance.SetProgress)
	sorters [3]*sorter // in the order of digests
	runsOf  map[hashing.Algorithm]*file
	journal *file
	bad     *file
	badBuf  *bufio.Writer
	badLen  int64
	texts   *texts
	noted   int // texts that the journal has
	held    int // memory of the sorters
	keys    []uint64
}

// newBuilder begins a set in a folder, or goes on with what its journal says.
func newBuilder(l *Library, dir string, p *progress, src semblance.DigestSource, tell func(semblance.SetProgress)) *builder {
	b := &builder{progress: *p, o: &l.o, d: &l.disk, dir: dir, src: src, tell: tell, runsOf: map[hashing.Algorithm]*file{}}
	if b.tell == nil {
		b.tell = func(semblance.SetProgress) {}
	}
	_, b.end = src.Describe()
	b.texts, b.noted = newTexts(p.texts), len(p.texts)
	return b
}

// begin writes the first line of a journal.
func begin(d *disk, dir string, head journalHead) (*progress, error) {
	line, err := journalLine(head)
	if err != nil {
		return nil, err
	}
	if err := d.folder(dir); err != nil {
		return nil, err
	}
	f, err := d.create(filepath.Join(dir, journalName))
	if err != nil {
		return nil, err
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return &progress{head: head, runs: map[hashing.Algorithm][]run{}, length: int64(len(line))}, d.syncFolder(dir)
}

// build goes on until the set is there.
func (b *builder) build(ctx context.Context) (semblance.DigestSet, error) {
	defer b.close()
	if err := b.open(); err != nil {
		return semblance.DigestSet{}, unwritten(err)
	}
	if !b.progress.end {
		if err := b.read(ctx); err != nil {
			return semblance.DigestSet{}, err
		}
	}
	b.sorters, b.keys = [3]*sorter{}, nil // merging needs the memory
	if b.source == nil {
		if err := b.hash(ctx); err != nil {
			return semblance.DigestSet{}, err
		}
	}
	for _, alg := range digests() {
		if err := b.finish(ctx, alg); err != nil {
			return semblance.DigestSet{}, err
		}
	}
	s := b.head.Set
	s.Sources = slices.Clone(s.Sources)
	s.Sources[0].SHA256 = *b.source
	s.Files, s.Counts = b.files, b.counts
	s.Counts.Duplicate = s.Counts.Digests - s.Counts.Trivial - s.Digests()
	return s, nil
}

func (b *builder) open() (err error) {
	if b.journal, err = b.d.reopen(filepath.Join(b.dir, journalName), b.length); err != nil {
		return err
	}
	b.badLen = b.quarantine
	if b.bad, err = b.d.reopen(filepath.Join(b.dir, quarantineName), b.quarantine); err != nil {
		return err
	}
	b.badBuf = bufio.NewWriter(b.bad)
	for alg, runs := range b.runs {
		if b.finished(alg) {
			continue
		}
		if err := b.openRuns(alg, runs); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) openRuns(alg hashing.Algorithm, runs []run) error {
	length := int64(0)
	if n := len(runs); n > 0 {
		length = runs[n-1].At + runs[n-1].Count*int64(alg.Bits()/8+packedBytes)
	}
	f, err := b.d.reopen(filepath.Join(b.dir, string(alg)+runsExt), length)
	if err == nil {
		b.runsOf[alg] = f
	}
	return err
}

func (b *builder) finished(alg hashing.Algorithm) bool {
	return slices.ContainsFunc(b.files, func(f semblance.SetFile) bool { return f.Algorithm == alg })
}

// close closes what is open; what matters was synced.
func (b *builder) close() {
	for _, f := range b.runsOf {
		_ = f.Close()
	}
	for _, f := range []*file{b.journal, b.bad} {
		if f != nil && f.File != nil {
			_ = f.Close()
		}
	}
}

// read reads the source to its end. When it is stopped, what was read is kept. A
// checkpoint is only ever made between two rows: then all digests of a row are in it or none.
func (b *builder) read(ctx context.Context) error {
	if err := b.src.Seek(ctx, b.at); err != nil {
		return err
	}
	var r semblance.DigestRow
	for {
		before := b.src.Position()
		if b.tight() {
			if err := b.checkpoint(before, false); err != nil {
				return unwritten(err)
			}
		}
		err := b.src.Next(ctx, &r)
		if errors.Is(err, io.EOF) {
			return unwritten(b.checkpoint(before, true))
		}
		if err != nil {
			if err = b.odd(err); err != nil { // the row is read again, whatever the source did with it
				return errors.Join(err, unwritten(b.checkpoint(before, false)))
			}
		} else if err := b.add(&r); err != nil {
			return unwritten(err)
		}
		if b.counts.Rows++; b.counts.Rows%tick == 0 {
			b.tell(semblance.SetProgress{Stage: "reading", Rows: b.counts.Rows, Done: b.src.Position().Offset, Total: b.end})
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), unwritten(b.checkpoint(b.src.Position(), false)))
			}
		}
	}
}

// odd sorts out the rows that are no records, and returns errors that end the reading.
func (b *builder) odd(err error) error {
	var bad *semblance.BadRow
	switch {
	case errors.Is(err, semblance.ErrBlankRow):
		b.counts.Blank++
		return nil
	case errors.As(err, &bad):
		return b.reject(bad)
	}
	return err
}

// reject writes a row into the quarantine file.
func (b *builder) reject(bad *semblance.BadRow) error {
	b.counts.Bad++
	if b.counts.Bad == hopeless && b.counts.Digests == 0 {
		source, _ := b.src.Describe()
		return semblance.Errorf(semblance.Invalid, "the first %d rows of the list cannot be read as %s; %s %d: %s", hopeless, source.Format, source.Unit, bad.Row, bad.Reason).
			WithHint("Say with --format what the file is.")
	}
	if b.counts.Bad > quarantineRows {
		return nil
	}
	source, _ := b.src.Describe()
	n, err := fmt.Fprintf(b.badBuf, "%s %d\t%s\t%s\n", source.Unit, bad.Row, flat(bad.Reason), flat(bad.Text))
	b.badLen += int64(n)
	return err
}

// flat makes one short column of foreign text.
func flat(s string) string {
	if len(s) > clipText {
		s = s[:clipText]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// add keeps the digests of a row.
func (b *builder) add(in *semblance.DigestRow) error {
	if in.Row < 0 || in.Row > maxNumber || in.Size < 0 || in.Size > maxNumber {
		return b.reject(&semblance.BadRow{Row: in.Row, Reason: fmt.Sprintf("a file of %d bytes cannot be", in.Size)})
	}
	r := row{row: uint64(in.Row), size: uint64(in.Size), text: b.texts.add(in.Text)}
	for i, value := range [3][]byte{in.MD5, in.SHA1, in.SHA256} {
		if value == nil {
			continue
		}
		alg := digests()[i]
		b.counts.Digests++
		if hashing.IsTrivial(alg, value) {
			b.counts.Trivial++
			continue
		}
		s := b.sorter(i)
		s.add(value, r)
	}
	return nil
}

// sorter returns the sorter of an algorithm with room for a record.
func (b *builder) sorter(i int) *sorter {
	s := b.sorters[i]
	if s == nil {
		s = newSorter(digests()[i].Bits() / 8)
		b.sorters[i] = s
	}
	if s.full() {
		b.fits(s)
		s.grow()
		b.held += s.pageBytes()
	}
	return s
}

// tight reports whether everything must be written before the next row.
func (b *builder) tight() bool {
	for _, s := range b.sorters {
		switch {
		case s == nil || s.n == 0:
		case b.o.runRecords > 0 && s.n >= b.o.runRecords, s.n == maxInRun, s.full() && !b.fits(s):
			return true
		}
	}
	return false
}

// fits reports whether there is memory for another page of a sorter, and takes it from
// those that have nothing in it.
func (b *builder) fits(s *sorter) bool {
	for _, other := range b.sorters {
		if b.held+s.pageBytes() <= b.o.Memory {
			return true
		}
		if other != nil && other != s && other.n == 0 {
			b.held -= len(other.pages) * other.pageBytes()
			other.pages = nil
		}
	}
	return b.held+s.pageBytes() <= b.o.Memory
}

// checkpoint writes what is in memory, and says in the journal that this is all up to a
// place in the source.
func (b *builder) checkpoint(at semblance.SourcePosition, end bool) error {
	c := checkpoint{At: at, Runs: map[hashing.Algorithm]run{}, Quarantine: b.badLen, End: end}
	for i, s := range b.sorters {
		if s != nil && s.n > 0 {
			if err := b.writeRun(digests()[i], s, c.Runs); err != nil {
				return err
			}
		}
	}
	c.Texts, b.counts.LostTexts = b.texts.list[b.noted:], b.texts.lost // sorting may have made new ones
	c.Counts = b.counts
	if err := b.badBuf.Flush(); err != nil {
		return err
	}
	if err := b.bad.sync(); err != nil {
		return err
	}
	if err := b.note(c); err != nil {
		return err
	}
	b.at, b.quarantine, b.progress.end, b.noted = c.At, c.Quarantine, c.End, len(b.texts.list)
	for alg, r := range c.Runs {
		b.runs[alg] = append(b.runs[alg], r)
	}
	return nil
}

// note appends a line to the journal.
func (b *builder) note(c checkpoint) error {
	line, err := journalLine(c)
	if err != nil {
		return err
	}
	if _, err := b.journal.Write(line); err != nil {
		return err
	}
	return b.journal.sync()
}

func (b *builder) writeRun(alg hashing.Algorithm, s *sorter, runs map[hashing.Algorithm]run) error {
	if b.runsOf[alg] == nil {
		if err := b.openRuns(alg, b.runs[alg]); err != nil {
			return err
		}
	}
	f := b.runsOf[alg]
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	sum := &summed{w: f}
	buf := bufio.NewWriterSize(sum, writeBuffer)
	count, largest, keys, err := s.write(buf, b.keys, b.texts)
	if b.keys = keys; err == nil {
		err = buf.Flush()
	}
	if err == nil {
		err = f.sync()
	}
	if err == nil && at == 0 {
		err = b.d.syncFolder(b.dir)
	}
	runs[alg] = run{At: at, Count: int64(count), Sum: sum.sum, Largest: largestOf(largest)}
	return err
}

// A summed writer keeps the checksum of what goes through it.
type summed struct {
	w   io.Writer
	sum uint32
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum = crc32.Update(s.sum, castagnoli, p[:n])
	return n, err
}

// hash takes the SHA-256 of the source, which must still be the one that was read.
func (b *builder) hash(ctx context.Context) error {
	b.tell(semblance.SetProgress{Stage: "hashing", Rows: b.counts.Rows})
	sum, err := b.src.Sum(ctx)
	if err != nil {
		return err
	}
	b.source = &sum
	return unwritten(b.note(checkpoint{Source: &sum}))
}

// finish merges the runs of an algorithm into its file.
func (b *builder) finish(ctx context.Context, alg hashing.Algorithm) error {
	runs := b.runs[alg]
	if len(runs) == 0 || b.finished(alg) {
		return nil
	}
	counts := b.counts
	made, err := b.merge(ctx, alg, runs, &counts)
	if err == nil {
		err = b.d.syncFolder(b.dir)
	}
	if err == nil {
		err = b.note(checkpoint{File: &made, Merged: &counts})
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errDamaged) {
			return semblance.Errorf(semblance.Unavailable, "what an import has sorted so far is damaged").
				WithHint("Check the disk of the data folder. Drop the import with `semblance collection sets drop` and begin again.").WithCause(err)
		}
		return unwritten(err)
	}
	b.files, b.counts = append(b.files, made), counts
	_ = b.runsOf[alg].Close()
	delete(b.runsOf, alg)
	return unwritten(b.d.remove(filepath.Join(b.dir, string(alg)+runsExt))) // the room is needed for the next
}

func (b *builder) merge(ctx context.Context, alg hashing.Algorithm, runs []run, counts *semblance.SetCounts) (semblance.SetFile, error) {
	about := meta{Sources: []semblance.SetSource{b.head.Set.Sources[0]}, TextsLost: b.texts.lost}
	about.Sources[0].SHA256 = *b.source
	var largest row
	var total int64
	for _, r := range runs {
		largest.grow(r.largest())
		total += r.Count
	}
	largest.flags = flagSizes | flagTexts // merging makes them
	if largest.text > 0 {
		largest.text = lostText // and new texts
	}
	w, err := newWriter(b.d, filepath.Join(b.dir, string(alg)+fileExt), alg, uint64(total), largest)
	if err != nil {
		return semblance.SetFile{}, err
	}
	err = merge(ctx, b.runsOf[alg].File, runs, alg.Bits()/8, b.o.Memory/2, b.texts, func(digest []byte, r row) error {
		count(counts, r)
		return w.add(digest, r)
	}, func(read int64) {
		b.tell(semblance.SetProgress{Stage: "sorting", Rows: b.counts.Rows, Done: read, Total: total})
	})
	if err != nil {
		w.abandon()
		return semblance.SetFile{}, err
	}
	about.Texts = b.texts.list
	return w.finish(about)
}

// count counts what the rows of a digest disagree about.
func count(c *semblance.SetCounts, r row) {
	if r.flags&flagSizes != 0 {
		c.Sizes++
	}
	if r.flags&flagTexts != 0 {
		c.Texts++
	}
}
