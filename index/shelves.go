package index

import (
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"

	"semblance"
	"semblance/index/disk"
)

// A shelfFolder keeps shelves in files: a file for each tray.
type shelfFolder struct{ disk.Folder }

// newShelfFolder returns one that keeps nothing yet.
func newShelfFolder() shelfFolder {
	return shelfFolder{disk.Folder{What: "vector index", Head: "semblance vectors", Format: 1, Ext: ".tray"}}
}

// A shelfState is the content of a shelf's state file.
type shelfState struct {
	Signal     string                 `json:"signal"`
	Collection semblance.CollectionID `json:"collection"`
	Dimensions int                    `json:"dimensions"`
	Metric     semblance.Metric       `json:"metric"`
	Version    int64                  `json:"version"`
	Mark       string                 `json:"mark,omitempty"`
	Trays      []trayState            `json:"trays"`
}

type trayState struct {
	File string `json:"file"`
	Sum  uint32 `json:"sum"`            // of the tray's header, and through it of everything
	Gone []byte `json:"gone,omitempty"` // a bit for each row, little-endian
}

// of is the folder of a shelf.
func (d *shelfFolder) of(k shelfKey) string {
	return d.Folder.Of(k.signal, string(k.collection), strconv.Itoa(k.dims), string(k.metric))
}

// keeper returns what makes a tray in memory one in a file of a shelf.
func (d *shelfFolder) keeper(k shelfKey) func(*tray) (*tray, error) {
	return func(t *tray) (*tray, error) {
		if d.Path == "" {
			return t, nil
		}
		name, err := d.Create(d.of(k), func(path string) error { return disk.WriteFile(path, t.image) })
		if err != nil {
			return nil, d.Unwritten(err)
		}
		kept, err := disk.Map(filepath.Join(d.of(k), name), headerBytes, maxFileBytes, openTray)
		if err != nil {
			d.Discard(d.of(k), name)
			return nil, d.Unwritten(err)
		}
		kept.file, kept.checked = name, nil // written just now
		return kept, nil
	}
}

// commit writes the state of a shelf.
func (d *shelfFolder) commit(s *shelf) error {
	return d.Folder.Commit(d.of(s.key), func(mark string) any {
		st := shelfState{Signal: s.key.signal, Collection: s.key.collection, Dimensions: s.key.dims, Metric: s.key.metric, Version: s.version, Mark: mark, Trays: []trayState{}}
		for i, t := range s.trays {
			ts := trayState{File: t.file, Sum: t.sum()}
			for _, w := range s.gone[i] {
				ts.Gone = binary.LittleEndian.AppendUint64(ts.Gone, w)
			}
			st.Trays = append(st.Trays, ts)
		}
		return st
	})
}

// discardTrays removes trays that no state names.
func (d *shelfFolder) discardTrays(k shelfKey, trays []*tray) {
	for _, t := range trays {
		d.Discard(d.of(k), t.file)
	}
}

// retire removes the trays of a shelf that its successor does not have.
func (d *shelfFolder) retire(old, next *shelf) {
	d.discardTrays(old.key, slices.DeleteFunc(slices.Clone(old.trays), func(t *tray) bool { return slices.Contains(next.trays, t) }))
}

// load opens every shelf, without reading its rows.
func (d *shelfFolder) load(note func(string, ...any)) (map[shelfKey]*shelf, error) {
	out := map[shelfKey]*shelf{}
	err := d.Folder.Load(note, func(dir string, body []byte) ([]string, error) {
		s, err := d.loadShelf(dir, body)
		if err != nil {
			return nil, err
		}
		out[s.key] = s
		var files []string
		for _, t := range s.trays {
			files = append(files, t.file)
		}
		return files, nil
	})
	return out, err
}

func (d *shelfFolder) loadShelf(dir string, body []byte) (*shelf, error) {
	st, err := readShelfState(body)
	if err != nil {
		return nil, err
	}
	s := &shelf{key: shelfKey{st.Signal, st.Collection, st.Dimensions, st.Metric}, version: st.Version}
	if d.of(s.key) != dir {
		return nil, disk.ErrDamaged // somebody renamed it
	}
	for _, ts := range st.Trays {
		if filepath.Base(ts.File) != ts.File {
			return nil, disk.ErrDamaged
		}
		t, err := disk.Map(filepath.Join(dir, ts.File), headerBytes, maxFileBytes, openTray)
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

// append adds a tray, which must fit the others.
func (s *shelf) append(t *tray, ts trayState) error {
	metric := semblance.Cosine
	if t.Metric == euclidMetric {
		metric = semblance.Euclid
	}
	if t.sum() != ts.Sum || int(t.Dims) != s.key.dims || metric != s.key.metric || t.FirstName != s.names || t.Names > 1<<31-s.names {
		return disk.ErrDamaged
	}
	var set rowSet
	if len(ts.Gone) > 0 {
		if set = newRowSet(int(t.Rows)); len(ts.Gone) != 8*len(set) {
			return disk.ErrDamaged
		}
		for i := range set {
			set[i] = binary.LittleEndian.Uint64(ts.Gone[8*i:])
		}
	}
	s.trays, s.gone = append(s.trays, t), append(s.gone, set)
	s.names += t.Names
	return nil
}

// readShelfState reads the body of a state file.
func readShelfState(body []byte) (shelfState, error) {
	var st shelfState
	if err := json.Unmarshal(body, &st); err != nil || st.Version <= 0 || st.Dimensions <= 0 || st.Metric != semblance.Cosine && st.Metric != semblance.Euclid {
		return st, disk.ErrDamaged
	}
	return st, nil
}
