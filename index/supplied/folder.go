package supplied

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"slices"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// A shelfFolder keeps shelves in files: a file for each tray.
type shelfFolder struct{ disk.Folder }

// newShelfFolder returns one that keeps nothing yet.
func newShelfFolder() shelfFolder {
	return shelfFolder{disk.Folder{What: "index of supplied values", Head: "semblance supplied values", Format: 1, Ext: ".tray"}}
}

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
func (d *shelfFolder) of(c semblance.CollectionID) string { return d.Of(string(c)) }

// keeper returns what makes a tray in memory one in a file of a shelf.
func (d *shelfFolder) keeper(c semblance.CollectionID) func(*tray) (*tray, error) {
	return func(t *tray) (*tray, error) {
		if d.Path == "" {
			return t, nil
		}
		name, err := d.Create(d.of(c), func(path string) error { return disk.WriteFile(path, t.image) })
		if err != nil {
			return nil, d.Unwritten(err)
		}
		kept, err := mapTray(filepath.Join(d.of(c), name), t.algorithm)
		if err != nil {
			d.Discard(d.of(c), name)
			return nil, d.Unwritten(err)
		}
		kept.file, kept.checked = name, nil // written just now
		return kept, nil
	}
}

// mapTray maps a tray's file. The mapping ends when nobody reaches the tray any more.
func mapTray(path string, a hashing.Algorithm) (*tray, error) {
	return disk.Map(path, headerBytes, maxTrayBytes, func(image []byte) (*tray, error) { return openTray(image, a) })
}

// commit writes the state of a shelf.
func (d *shelfFolder) commit(s *shelf) error {
	return d.Commit(d.of(s.collection), func(mark string) any {
		st := state{Collection: s.collection, Version: s.version, Mark: mark, Trays: []trayState{}}
		for i, t := range s.trays {
			ts := trayState{File: t.file, Algorithm: t.algorithm, Sum: t.sum()}
			for _, w := range s.gone[i] {
				ts.Gone = binary.LittleEndian.AppendUint64(ts.Gone, w)
			}
			st.Trays = append(st.Trays, ts)
		}
		return st
	})
}

// discardTrays removes trays that no state names.
func (d *shelfFolder) discardTrays(c semblance.CollectionID, trays []*tray) {
	for _, t := range trays {
		d.Discard(d.of(c), t.file)
	}
}

// retire removes the trays of a shelf that its successor does not have.
func (d *shelfFolder) retire(old, next *shelf) {
	d.discardTrays(old.collection, slices.DeleteFunc(slices.Clone(old.trays), func(t *tray) bool { return slices.Contains(next.trays, t) }))
}

// load opens every shelf, without reading its rows.
func (d *shelfFolder) load(note func(string, ...any)) (map[semblance.CollectionID]*shelf, error) {
	return disk.LoadAll(&d.Folder, note, d.loadShelf, (*shelf).holds)
}

// holds tells whose it is, and its files.
func (s *shelf) holds() (c semblance.CollectionID, files []string) {
	for _, f := range s.trays {
		files = append(files, f.file)
	}
	return s.collection, files
}

func (d *shelfFolder) loadShelf(dir string, body []byte) (*shelf, error) {
	st, err := readState(body)
	if err != nil {
		return nil, err
	}
	s := &shelf{collection: st.Collection, version: st.Version}
	if d.of(s.collection) != dir {
		return nil, disk.ErrDamaged // somebody renamed it
	}
	for _, ts := range st.Trays {
		if filepath.Base(ts.File) != ts.File || !ts.Algorithm.IsSupplied() {
			return nil, disk.ErrDamaged
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
		return disk.ErrDamaged
	}
	var set rowSet
	if len(ts.Gone) > 0 {
		if set = newRowSet(t); len(ts.Gone) != 8*len(set) {
			return disk.ErrDamaged
		}
		for i := range set {
			set[i] = binary.LittleEndian.Uint64(ts.Gone[8*i:])
		}
	}
	s.trays, s.gone = append(s.trays, t), append(s.gone, set)
	return nil
}

// readState reads the body of a state file.
func readState(body []byte) (state, error) {
	var st state
	if err := json.Unmarshal(body, &st); err != nil || st.Version <= 0 {
		return st, disk.ErrDamaged
	}
	return st, nil
}
