package kept

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

var _ semblance.KeptIndex = (*Index)(nil)

// Options of an Index. The zero value works.
type Options struct {
	// Mark names the present end of the store's history; Known reports whether a mark is
	// of it. When it is not, the store was put back, and what is held is thrown away.
	Mark  func() (string, error)
	Known func(mark string) (bool, error)
	// Lanes is how many cores a search uses at most, each with up to 600 MB; 0 is the
	// number of cores, and 4 at most.
	Lanes int
}

// An Index is an open folder of kept values.
type Index struct {
	dir     string
	opts    Options
	changes sync.Mutex // one change or search at a time: a search reads the files that a change removes
	mu      sync.Mutex // guards state
	state   state
	usable  bool // whether the mark was looked at
}

// A state is the content of the file of that name: what is held.
type state struct {
	Through  int64     `json:"through"` // sequence number
	Mark     string    `json:"mark"`
	Segments []segment `json:"segments"`
}

const (
	stateName = "state"
	stateHead = "semblance kept signals %d %08x\n" // format and checksum of the rest
	fileExt   = ".kept"
)

// Open opens the folder dir, or makes it. What cannot be read is not held.
func Open(dir string, o Options) (*Index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unwritten(err)
	}
	x := &Index{dir: dir, opts: o}
	if x.opts.Lanes <= 0 {
		x.opts.Lanes = lanes()
	}
	if st, err := x.load(); err == nil {
		x.state = st
	}
	return x, x.sweep()
}

func (x *Index) load() (st state, err error) {
	b, err := os.ReadFile(filepath.Join(x.dir, stateName))
	if err != nil {
		return st, err
	}
	head, body, _ := strings.Cut(string(b), "\n")
	if head+"\n" != fmt.Sprintf(stateHead, format, crc32.Checksum([]byte(body), disk.Castagnoli)) {
		return st, errDamaged
	}
	if err := json.Unmarshal([]byte(body), &st); err != nil {
		return st, err
	}
	for i := range st.Segments {
		s := &st.Segments[i]
		s.path, s.checked = filepath.Join(x.dir, filepath.Base(s.File)), new(atomic.Bool)
		if _, err := os.Stat(s.path); err != nil {
			return state{}, err
		}
	}
	return st, nil
}

// sweep removes files that nothing names.
func (x *Index) sweep() error {
	names, err := filepath.Glob(filepath.Join(x.dir, "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		base := filepath.Base(name)
		if base == stateName || slices.ContainsFunc(x.state.Segments, func(s segment) bool { return s.File == base }) {
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unwritten(err)
		}
	}
	return nil
}

// now returns what is held, nothing when the store is another or an older one.
func (x *Index) now() (state, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.usable && x.opts.Known != nil && x.state.Through != 0 {
		known, err := x.opts.Known(x.state.Mark)
		if err != nil {
			return state{}, err
		}
		if !known {
			x.state = state{}
		}
	}
	x.usable = true
	return x.state, nil
}

// Through implements [semblance.KeptIndex].
func (x *Index) Through(context.Context) (int64, error) {
	st, err := x.now()
	return st.Through, err
}

// Drop implements [semblance.KeptIndex].
func (x *Index) Drop(context.Context) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	return x.commit(state{}, nil)
}

// Add implements [semblance.KeptIndex].
func (x *Index) Add(ctx context.Context, values iter.Seq2[semblance.KeptValue, error]) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	st, err := x.now()
	if err != nil {
		return err
	}
	a := &addition{x: x, segments: slices.Clone(st.Segments), waiting: map[hashing.Algorithm]*rows{}, last: st.Through}
	for v, err := range values {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = a.put(v)
		}
		if err != nil {
			a.undo()
			return err
		}
	}
	if err := a.finish(); err != nil {
		a.undo()
		return err
	}
	next := state{Through: a.last, Segments: a.segments}
	if x.opts.Mark != nil {
		if next.Mark, err = x.opts.Mark(); err != nil {
			a.undo()
			return err
		}
	}
	return x.commit(next, a.made)
}

// commit makes a state the one that is held, first on disk.
func (x *Index) commit(next state, made []string) error {
	body, err := json.Marshal(next)
	if err != nil {
		return err
	}
	aside := filepath.Join(x.dir, stateName+".new")
	content := append(fmt.Appendf(nil, stateHead, format, crc32.Checksum(body, disk.Castagnoli)), body...)
	for _, step := range []func() error{
		func() error { return absent(os.Remove(aside)) },
		func() error { return disk.WriteFile(aside, content) },
		func() error { return disk.SyncFolder(x.dir) },
		func() error { return os.Rename(aside, filepath.Join(x.dir, stateName)) },
		func() error { return disk.SyncFolder(x.dir) },
	} {
		if err := step(); err != nil {
			for _, name := range made {
				_ = os.Remove(filepath.Join(x.dir, name)) // best effort: Open removes what nothing names
			}
			return unwritten(err)
		}
	}
	x.mu.Lock()
	old := x.state
	x.state, x.usable = next, true
	x.mu.Unlock()
	for _, s := range old.Segments {
		if !slices.ContainsFunc(next.Segments, func(n segment) bool { return n.File == s.File }) {
			_ = os.Remove(s.path) // the same
		}
	}
	return nil
}

// An addition is a change under way.
type addition struct {
	x        *Index
	segments []segment
	made     []string
	waiting  map[hashing.Algorithm]*rows
	last     int64
}

// put adds the values of one frame: of those that are transpositions of each other, one.
func (a *addition) put(v semblance.KeptValue) error {
	if v.Seq < a.last {
		return semblance.Errorf(semblance.Invalid, "kept signals come in the order of their sequence numbers")
	}
	a.last = v.Seq
	if len(v.Values) == 0 {
		return nil
	}
	bits := v.Algorithm.Bits()
	if bits != 64 && bits != 256 || v.Algorithm.IsDigest() {
		return semblance.Errorf(semblance.Invalid, "values of %q are not kept by bits", string(v.Algorithm))
	}
	r := a.waiting[v.Algorithm]
	if r == nil {
		r = &rows{width: bits / 8}
		a.waiting[v.Algorithm] = r
	}
	var have [][]byte
	for _, value := range v.Values {
		if len(value)*8 != bits {
			return semblance.Errorf(semblance.Invalid, "a value of %s has %d bytes, not %d", string(v.Algorithm), bits/8, len(value))
		}
		if holds(have, value) || turns(v.Algorithm) && holds(have, transpose(value)) {
			continue
		}
		have = append(have, value)
		r.add(v.Seq, v.Quality, value)
	}
	if r.len() >= segmentRows-64 { // a frame has eight values
		return a.flush(v.Algorithm)
	}
	return nil
}

func holds(list [][]byte, v []byte) bool {
	return slices.ContainsFunc(list, func(x []byte) bool { return string(x) == string(v) })
}

// turns reports whether values of an algorithm are looked for both ways.
func turns(a hashing.Algorithm) bool { return a == hashing.AlgorithmPDQ }

func (a *addition) finish() error {
	for _, alg := range hashing.Algorithms() { // in one order, so that the same gives the same
		if r := a.waiting[alg]; r != nil && r.len() > 0 {
			if err := a.flush(alg); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush writes what waits, together with segments before it that are not larger: so each
// row is written again a logarithmic number of times at most, and files stay few.
func (a *addition) flush(alg hashing.Algorithm) error {
	r := a.waiting[alg]
	for {
		i := lastOf(a.segments, alg)
		if i < 0 || a.segments[i].Rows > r.len() || a.segments[i].Rows+r.len() > segmentRows {
			break
		}
		old := a.segments[i]
		before, _, err := old.read(nil, true)
		if err != nil {
			return a.x.failed(err)
		}
		before.values = append(slices.Clone(before.values), r.values...)
		before.seqs, before.qualities = append(before.seqs, r.seqs...), append(slices.Clone(before.qualities), r.qualities...)
		r, a.segments = before, slices.Delete(a.segments, i, i+1)
		a.discard(old.File)
	}
	image, base, err := r.image()
	if err != nil {
		return err
	}
	s := segment{File: fmt.Sprintf("%016x%s", rand.Uint64(), fileExt), Algorithm: alg, Rows: r.len(), Base: base, Sum: crc32.Checksum(image, disk.Castagnoli), checked: new(atomic.Bool)}
	s.path = filepath.Join(a.x.dir, s.File)
	s.checked.Store(true)
	a.made = append(a.made, s.File)
	if err := disk.WriteFile(s.path, image); err != nil {
		return unwritten(err)
	}
	a.segments = append(a.segments, s)
	a.waiting[alg] = &rows{width: r.width}
	return nil
}

// discard removes a file that this addition made and merged.
func (a *addition) discard(name string) {
	if i := slices.Index(a.made, name); i >= 0 {
		a.made = slices.Delete(a.made, i, i+1)
		_ = os.Remove(filepath.Join(a.x.dir, name)) // best effort: Open removes what nothing names
	}
}

func (a *addition) undo() {
	for _, name := range a.made {
		_ = os.Remove(filepath.Join(a.x.dir, name)) // the same
	}
}

func lastOf(list []segment, alg hashing.Algorithm) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Algorithm == alg {
			return i
		}
	}
	return -1
}

// forget holds nothing from now on: a file is damaged, and all is made again.
func (x *Index) forget() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state = state{}
	err := absent(os.Remove(filepath.Join(x.dir, stateName)))
	if err != nil {
		return unwritten(err)
	}
	return nil
}

// unwritten is the error of a disk that does not take files.
func unwritten(err error) error {
	return semblance.Errorf(semblance.Unavailable, "the index of kept signals cannot be written").
		WithHint("Make room on the disk of the data folder and see that it can be written. Nothing is lost: the index is made again from the store.").WithCause(err)
}

// absent makes nothing of the error of a file that is not there.
func absent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
