package supplied

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"semblance"
	"semblance/hashing"
)

// A folder keeps shelves in files: a folder for each, in it a file for each tray, never
// changed, and the state, which names the trays and what is gone of them. A change writes
// new trays, then the new state aside, and renames it: that moment is the change.
// Everything is synced before what relies on it. The zero folder keeps nothing.
type folder struct {
	path  string
	mark  func() (string, error)          // of the store's history; may be nil
	known func(mark string) (bool, error) // whether a mark is of it; may be nil
	// step, in tests, is called before every change of the disk and may fail it.
	step func(what string) error
}

const (
	stateName = "state"
	asideName = "state.new"
	trayExt   = ".tray"
	stateHead = "semblance supplied values %d %08x\n" // format and checksum of the rest
	// stateFormat is raised when the state means something else.
	stateFormat = 1
)

// A state is the content of a state file.
type state struct {
	Collection semblance.CollectionID `json:"collection"`
	Version    int64                  `json:"version"`
	Mark       string                 `json:"mark,omitempty"`
	Trays      []trayState            `json:"trays"`
}

type trayState struct {
	File      string            `json:"file"`
	Algorithm hashing.Algorithm `json:"algorithm"`
	Sum       uint32            `json:"sum"`            // of the tray's header, and through it of everything
	Gone      []byte            `json:"gone,omitempty"` // a bit for each row, little-endian
}

// of is the folder of a shelf.
func (d *folder) of(c semblance.CollectionID) string {
	sum := sha256.Sum256([]byte(c))
	return filepath.Join(d.path, hex.EncodeToString(sum[:16]))
}

// change does one change of the disk.
func (d *folder) change(what string, f func() error) error {
	if d.step != nil {
		if err := d.step(what); err != nil {
			return err
		}
	}
	return f()
}

// keeper returns what makes a tray in memory one in a file of a shelf.
func (d *folder) keeper(c semblance.CollectionID) func(*tray) (*tray, error) {
	return func(t *tray) (*tray, error) {
		if d.path == "" {
			return t, nil
		}
		kept, err := d.keep(c, t)
		if err != nil {
			return nil, unwritten(err)
		}
		return kept, nil
	}
}

func (d *folder) keep(c semblance.CollectionID, t *tray) (*tray, error) {
	dir := d.of(c)
	if _, err := os.Stat(dir); err != nil {
		if err := d.change("mkdir", func() error { return os.MkdirAll(dir, 0o700) }); err != nil {
			return nil, err
		}
		if err := d.change("sync", func() error { return syncFolder(d.path) }); err != nil {
			return nil, err
		}
	}
	name := rand.Text() + trayExt
	path := filepath.Join(dir, name)
	if err := d.change("write", func() error { return writeFile(path, t.image) }); err != nil {
		_ = os.Remove(path) // best effort: load removes what no state names
		return nil, err
	}
	kept, err := mapTray(path, t.algorithm)
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	kept.file, kept.checked = name, nil // written just now
	return kept, nil
}

// unwritten is the error of a disk that does not take files.
func unwritten(err error) error {
	return semblance.Errorf(semblance.Unavailable, "the index of supplied values cannot be written").
		WithHint("Make room on the disk of the data folder and see that it can be written. Nothing is lost: the index is made again from the store.").WithCause(err)
}

// commit writes the state of a shelf.
func (d *folder) commit(s *shelf) error {
	if d.path == "" {
		return nil
	}
	if err := d.writeState(s); err != nil {
		return unwritten(err)
	}
	return nil
}

func (d *folder) writeState(s *shelf) error {
	st := state{Collection: s.collection, Version: s.version, Trays: []trayState{}}
	for i, t := range s.trays {
		ts := trayState{File: t.file, Algorithm: t.algorithm, Sum: t.sum()}
		for _, w := range s.gone[i] {
			ts.Gone = binary.LittleEndian.AppendUint64(ts.Gone, w)
		}
		st.Trays = append(st.Trays, ts)
	}
	if d.mark != nil {
		var err error
		if st.Mark, err = d.mark(); err != nil {
			return err
		}
	}
	body, err := json.Marshal(st)
	if err != nil {
		return err
	}
	dir := d.of(s.collection)
	aside := filepath.Join(dir, asideName)
	content := append(fmt.Appendf(nil, stateHead, stateFormat, crc32.Checksum(body, castagnoli)), body...)
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"mkdir", func() error { return os.MkdirAll(dir, 0o700) }},
		{"sync", func() error { return syncFolder(d.path) }},
		{"sync", func() error { return syncFolder(dir) }}, // the trays' names
		{"remove", func() error { return gone(os.Remove(aside)) }},
		{"write", func() error { return writeFile(aside, content) }},
		{"rename", func() error { return os.Rename(aside, filepath.Join(dir, stateName)) }},
		{"sync", func() error { return syncFolder(dir) }},
	} {
		if err := d.change(step.what, step.do); err != nil {
			return err
		}
	}
	return nil
}

// writeFile writes a new file that only its owner reads, and syncs it.
func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// gone makes nothing of the error of a file that is not there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// discard removes trays that no state names.
func (d *folder) discard(c semblance.CollectionID, trays []*tray) {
	for _, t := range trays {
		if t.file != "" {
			// Best effort: load removes what no state names.
			_ = d.change("remove", func() error { return os.Remove(filepath.Join(d.of(c), t.file)) })
		}
	}
}

// retire removes the trays of a shelf that its successor does not have.
func (d *folder) retire(old, next *shelf) {
	d.discard(old.collection, slices.DeleteFunc(slices.Clone(old.trays), func(t *tray) bool { return slices.Contains(next.trays, t) }))
}

// remove removes a shelf's folder, the state first, so that half of it is nothing.
func (d *folder) remove(c semblance.CollectionID) error {
	if d.path == "" {
		return nil
	}
	return d.removeFolder(d.of(c))
}

func (d *folder) removeFolder(dir string) error {
	err := d.change("remove", func() error { return gone(os.Remove(filepath.Join(dir, stateName))) })
	if err == nil {
		err = d.change("sync", func() error { return gone(syncFolder(dir)) })
	}
	if err == nil {
		err = d.change("remove", func() error { return os.RemoveAll(dir) })
	}
	if err != nil {
		return semblance.Errorf(semblance.Internal, "files of the index of supplied values are not removed").
			WithHint("See that the data folder can be written, and try again.").WithCause(err)
	}
	return nil
}

// load opens every shelf. What is damaged or left over is removed.
func (d *folder) load(note func(string, ...any)) (map[semblance.CollectionID]*shelf, error) {
	unusable := func(err error) error {
		return semblance.Errorf(semblance.Unavailable, "the folder of the index of supplied values cannot be used").
			WithHint("See that the data folder belongs to you and can be read and written.").WithCause(err)
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return nil, unusable(err)
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, unusable(err)
	}
	out := map[semblance.CollectionID]*shelf{}
	for _, e := range entries {
		dir := filepath.Join(d.path, e.Name())
		s, err := d.loadShelf(dir)
		switch {
		case err == nil:
			out[s.collection] = s
			err = d.sweep(dir, s)
		case errors.Is(err, errUnknown):
			err = nil // left as it is
		case errors.Is(err, errNoState):
			err = d.removeFolder(dir)
		default:
			note("files of the index of supplied values are not used and made again: %v", err)
			err = d.removeFolder(dir)
		}
		if err != nil {
			return nil, unusable(err)
		}
	}
	return out, nil
}

var (
	errNoState = errors.New("no state") // a folder never became a shelf, or ceased to be one
	errForeign = errors.New("they were made from another store, or a newer state of this one")
	errUnknown = errors.New("the store does not say whether they are its own")
)

// loadShelf opens the shelf of a folder, without reading its rows.
func (d *folder) loadShelf(dir string) (*shelf, error) {
	content, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoState
	}
	if err != nil {
		return nil, err
	}
	st, err := readState(content)
	if err != nil {
		return nil, err
	}
	if d.known != nil {
		if ok, err := d.known(st.Mark); err != nil {
			return nil, errors.Join(errUnknown, err)
		} else if !ok {
			return nil, errForeign
		}
	}
	s := &shelf{collection: st.Collection, version: st.Version}
	if d.of(s.collection) != dir {
		return nil, errDamaged // somebody renamed it
	}
	for _, ts := range st.Trays {
		if filepath.Base(ts.File) != ts.File || !ts.Algorithm.IsSupplied() {
			return nil, errDamaged
		}
		t, err := mapTray(filepath.Join(dir, ts.File), ts.Algorithm)
		if err != nil {
			return nil, err
		}
		t.file = ts.File
		if err := s.append(t, ts); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// append adds a tray with what is gone of it.
func (s *shelf) append(t *tray, ts trayState) error {
	if t.sum() != ts.Sum {
		return errDamaged
	}
	var set rowSet
	if len(ts.Gone) > 0 {
		if set = newRowSet(t); len(ts.Gone) != 8*len(set) {
			return errDamaged
		}
		for i := range set {
			set[i] = binary.LittleEndian.Uint64(ts.Gone[8*i:])
		}
	}
	s.trays, s.gone = append(s.trays, t), append(s.gone, set)
	return nil
}

// readState reads a state file, which may be anything.
func readState(content []byte) (state, error) {
	var st state
	var format int
	var sum uint32
	head, body, ok := bytes.Cut(content, []byte{'\n'})
	if n, err := fmt.Sscanf(string(head)+"\n", stateHead, &format, &sum); !ok || err != nil || n != 2 || format != stateFormat || sum != crc32.Checksum(body, castagnoli) {
		return st, errDamaged
	}
	if err := json.Unmarshal(body, &st); err != nil || st.Version <= 0 {
		return st, errDamaged
	}
	return st, nil
}

// sweep removes the files of a shelf's folder that its state does not name.
func (d *folder) sweep(dir string, s *shelf) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == stateName || slices.ContainsFunc(s.trays, func(t *tray) bool { return t.file == e.Name() }) {
			continue
		}
		if err := d.change("remove", func() error { return os.RemoveAll(filepath.Join(dir, e.Name())) }); err != nil {
			return err
		}
	}
	return nil
}
