package digestset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"semblance"
	"semblance/hashing"
)

var (
	_ semblance.SetIndex = (*Library)(nil)
	_ semblance.SetMaker = (*Library)(nil)
)

// Options are what a Library can be told.
type Options struct {
	// Memory is what sorting may use, in bytes. 0 is 256 MiB.
	Memory int

	runRecords int // in tests: so many records of an algorithm make a run
}

// A Library is the folder of all digest sets, a folder for each. It implements
// [semblance.SetIndex] and [semblance.SetMaker] and is safe for concurrent use.
type Library struct {
	path  string
	o     Options
	disk  disk
	mu    sync.Mutex
	held  map[semblance.CollectionID]*shelf
	taken map[semblance.CollectionID]bool // a set is being built
}

// A shelf is what is held of a collection. It is never changed.
type shelf struct {
	version int64
	sets    []heldSet
}

// A heldSet is a set with its open files. They are unmapped when nobody reaches them any more.
type heldSet struct {
	semblance.DigestSet
	files map[hashing.Algorithm]*Set
}

// OpenLibrary opens the folder of sets, or makes it. known are all sets that the store
// has, collections all that can have some; what else is there is removed, but for sets that are being
// built for one of the collections.
func OpenLibrary(path string, o Options, known []semblance.DigestSet, collections []semblance.CollectionID) (*Library, error) {
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	l := &Library{path: path, o: o, held: map[semblance.CollectionID]*shelf{}, taken: map[semblance.CollectionID]bool{}}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unwritten(err)
	}
	names, err := os.ReadDir(path)
	if err != nil {
		return nil, unwritten(err)
	}
	for _, n := range names {
		i := slices.IndexFunc(known, func(s semblance.DigestSet) bool { return string(s.ID) == n.Name() })
		if i >= 0 {
			err = l.FinishSet(known[i])
		} else if p, jerr := readJournal(l.dir(semblance.SetID(n.Name()))); errors.Is(jerr, errNoJournal) || jerr == nil && !slices.Contains(collections, p.head.Set.Collection) {
			err = unwritten(l.disk.remove(filepath.Join(path, n.Name())))
		}
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Library) dir(id semblance.SetID) string { return filepath.Join(l.path, string(id)) }

// HeldSets implements [semblance.SetIndex].
func (l *Library) HeldSets(c semblance.CollectionID) int64 {
	if h := l.shelf(c); h != nil {
		return h.version
	}
	return 0
}

func (l *Library) shelf(c semblance.CollectionID) *shelf {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[c]
}

// HoldSets implements [semblance.SetIndex].
func (l *Library) HoldSets(_ context.Context, c semblance.CollectionID, version int64, sets []semblance.DigestSet) error {
	if version == 0 {
		l.drop(c)
		return nil
	}
	before := l.shelf(c)
	next := &shelf{version: version}
	for _, s := range sets {
		h, err := l.open(s, before)
		if err != nil {
			l.drop(c)
			return err
		}
		next.sets = append(next.sets, h)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[c] = next
	return nil
}

func (l *Library) drop(c semblance.CollectionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, c)
}

// open opens the files of a set, or takes them over.
func (l *Library) open(s semblance.DigestSet, before *shelf) (heldSet, error) {
	h := heldSet{DigestSet: s, files: map[hashing.Algorithm]*Set{}}
	if before != nil {
		if i := slices.IndexFunc(before.sets, func(b heldSet) bool { return b.ID == s.ID }); i >= 0 {
			h.files = before.sets[i].files
			return h, nil
		}
	}
	for _, f := range s.Files {
		open, err := l.file(s.ID, f, true)
		if err != nil {
			return h, err
		}
		open.unmapLater()
		h.files[f.Algorithm] = open
	}
	return h, nil
}

// file opens a file of a set, which must be the one that is recorded.
func (l *Library) file(id semblance.SetID, f semblance.SetFile, random bool) (*Set, error) {
	path := filepath.Join(l.dir(id), string(f.Algorithm)+fileExt)
	s, err := openSet(path, random)
	if err != nil {
		return nil, err
	}
	if s.Algorithm() != f.Algorithm || s.Len() != f.Records || s.Seal() != f.Seal {
		return nil, errors.Join(unreadable(path, errNotOurs), s.Close())
	}
	return s, nil
}

// SearchSets implements [semblance.SetIndex].
func (l *Library) SearchSets(ctx context.Context, q semblance.SetQuery) ([][]semblance.SetRecord, error) {
	out := make([][]semblance.SetRecord, len(q.Values))
	var values []byte
	for _, v := range q.Values {
		if len(v)*8 != q.Algorithm.Bits() || !q.Algorithm.IsDigest() {
			return nil, semblance.Errorf(semblance.Invalid, "%d bytes are no digest of %s", len(v), string(q.Algorithm))
		}
	}
	found := make([]int64, len(q.Values))
	for _, c := range q.Collections {
		h := l.shelf(c)
		if h == nil {
			return nil, semblance.Errorf(semblance.Internal, "the digest sets of a collection are not open").WithHint("Try again.")
		}
		for _, s := range h.sets {
			f := s.files[q.Algorithm]
			if f == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if values == nil {
				values = slices.Concat(q.Values...)
			}
			if err := f.Find(values, found); err != nil {
				return nil, err
			}
			for i, n := range found {
				if n == NotFound {
					continue
				}
				r, err := f.Record(n)
				if err != nil {
					return nil, err
				}
				out[i] = append(out[i], f.known(s, r))
			}
		}
	}
	return out, nil
}

// known says what a record is in the words of the root.
func (s *Set) known(h heldSet, r Record) semblance.SetRecord {
	source := s.about.Sources[r.Source]
	var note []string
	if r.Text != "" {
		note = append(note, r.Text)
	}
	if r.Texts {
		note = append(note, "(other rows of the same digest say more)")
	}
	if r.Sizes {
		note = append(note, "(its rows state several sizes)")
	}
	return semblance.SetRecord{Collection: h.Collection, Set: h.ID, Source: source.Name, Record: rowName(source.Unit, r.Row), Size: r.Size, Note: strings.Join(note, " ")}
}

// BuildSet implements [semblance.SetMaker].
func (l *Library) BuildSet(ctx context.Context, s semblance.DigestSet, src semblance.DigestSource, progress func(semblance.SetProgress)) (semblance.DigestSet, error) {
	if !l.take(s.Collection) {
		return s, semblance.Errorf(semblance.Conflict, "another import into this collection is under way").WithHint("Wait for it to end.")
	}
	defer l.giveBack(s.Collection)
	source, _ := src.Describe()
	p, err := l.unfinished(s.Collection)
	switch {
	case err != nil:
		return s, err
	case p == nil:
		s.ID = semblance.SetID(semblance.NewID())
		s.Sources = []semblance.SetSource{source}
		if p, err = begin(&l.disk, l.dir(s.ID), journalHead{Format: journalFormat, Set: s}); err != nil {
			return s, unwritten(err)
		}
	case !same(p.head.Set.Sources[0], source):
		return s, semblance.Errorf(semblance.Conflict, "an import of %q into this collection is unfinished", p.head.Set.Sources[0].Name).
			WithHint("Import that file again, unchanged, to go on with it; or drop what was done with `semblance collection sets drop`.")
	}
	return newBuilder(l, l.dir(p.head.Set.ID), p, src, progress).build(ctx)
}

// same reports whether two sources are one, as far as can be told without reading all of it.
func same(a, b semblance.SetSource) bool {
	return a.Name == b.Name && a.Format == b.Format && a.Bytes == b.Bytes && a.Modified.Equal(b.Modified) && a.Head == b.Head
}

func (l *Library) take(c semblance.CollectionID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken[c] {
		return false
	}
	l.taken[c] = true
	return true
}

func (l *Library) giveBack(c semblance.CollectionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.taken, c)
}

// unfinished returns the set that is being built for a collection, nil when none is.
func (l *Library) unfinished(c semblance.CollectionID) (*progress, error) {
	names, err := os.ReadDir(l.path)
	if err != nil {
		return nil, unwritten(err)
	}
	for _, n := range names {
		p, err := readJournal(filepath.Join(l.path, n.Name()))
		switch {
		case errors.Is(err, errNoJournal):
		case err != nil:
			return nil, unwritten(err)
		case p.head.Set.Collection == c:
			return p, nil
		}
	}
	return nil, nil
}

// An Unfinished is a set that is being built, or whose building was stopped.
type Unfinished struct {
	Set  semblance.DigestSet `json:"set"`
	Rows int64               `json:"rows"` // read so far
	Read bool                `json:"read"` // the source is read to its end
}

// Of reports whether it is what a source is imported as.
func (u *Unfinished) Of(s semblance.SetSource) bool { return same(u.Set.Sources[0], s) }

// Unfinished returns the set that is being built for a collection, nil when none is.
func (l *Library) Unfinished(c semblance.CollectionID) (*Unfinished, error) {
	p, err := l.unfinished(c)
	if p == nil || err != nil {
		return nil, err
	}
	return &Unfinished{Set: p.head.Set, Rows: p.counts.Rows, Read: p.end}, nil
}

// QuarantineFile returns the path of the file that has the rows that were left out of
// a set, a line each: which row, the reason and its beginning, between tabs.
func (l *Library) QuarantineFile(id semblance.SetID) string {
	return filepath.Join(l.dir(id), quarantineName)
}

// FinishSet implements [semblance.SetMaker].
func (l *Library) FinishSet(s semblance.DigestSet) error {
	names, err := os.ReadDir(l.dir(s.ID))
	if err != nil {
		return nil // a set without its files: whoever looks something up in it is told
	}
	keep := map[string]bool{}
	for _, f := range s.Files {
		keep[string(f.Algorithm)+fileExt] = true
	}
	if s.Counts.Bad > 0 {
		keep[quarantineName] = true
	}
	for _, n := range names {
		if !keep[n.Name()] {
			if err := l.disk.remove(filepath.Join(l.dir(s.ID), n.Name())); err != nil {
				return unwritten(err)
			}
		}
	}
	return nil
}

// EraseSets implements [semblance.SetMaker].
func (l *Library) EraseSets(c semblance.CollectionID, sets ...semblance.SetID) error {
	if len(sets) == 0 {
		if !l.take(c) {
			return semblance.Errorf(semblance.Conflict, "an import into this collection is under way").WithHint("Stop it first.")
		}
		defer l.giveBack(c)
		p, err := l.unfinished(c)
		if err != nil || p == nil {
			return err
		}
		sets = append(sets, p.head.Set.ID)
	}
	for _, id := range sets {
		if id == "" || filepath.Base(string(id)) != string(id) {
			return semblance.Errorf(semblance.Internal, "no set can be called %q", string(id))
		}
		if err := l.disk.remove(l.dir(id)); err != nil {
			return semblance.Errorf(semblance.Internal, "the files of a digest set are not removed").
				WithHint("See that the data folder can be written; what is left is removed when it is next opened.").WithCause(err)
		}
	}
	return unwritten(l.disk.syncFolder(l.path))
}

// Verify reads every file of a set and demands the SHA-256 that is recorded.
func (l *Library) Verify(s semblance.DigestSet) error {
	for _, f := range s.Files {
		open, err := l.file(s.ID, f, false)
		if err != nil {
			return err
		}
		if err := errors.Join(open.Verify(f.SHA256), open.Close()); err != nil {
			return err
		}
	}
	return nil
}
