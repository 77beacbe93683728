package index

import (
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"

	"semblance"
	"semblance/index/disk"
)

// A catalogFolder keeps catalogs in files: a file for each segment.
type catalogFolder struct{ disk.Folder }

// newCatalogFolder returns one that keeps nothing yet.
func newCatalogFolder() catalogFolder {
	return catalogFolder{disk.Folder{What: "hash index", Head: "semblance hashes", Format: 1, Ext: ".segment"}}
}

// A catalogState is the content of a catalog's state file.
type catalogState struct {
	Collection semblance.CollectionID `json:"collection"`
	Version    int64                  `json:"version"`
	Mark       string                 `json:"mark,omitempty"`
	Segments   []segmentState         `json:"segments"`
}

type segmentState struct {
	File string `json:"file"`
	Sum  uint32 `json:"sum"`            // of the segment's header, and through it of everything
	Gone []byte `json:"gone,omitempty"` // rows, each as the distance from the one before, as varints
}

// of is the folder of a catalog.
func (d *catalogFolder) of(c semblance.CollectionID) string { return d.Folder.Of(string(c)) }

// scribe returns what writes segments of a collection.
func (d *catalogFolder) scribe(c semblance.CollectionID, lanes int) scribe {
	return scribe{files: &d.Folder, dir: d.of(c), lanes: lanes}
}

// discard removes the file of a segment that no state names.
func (w *scribe) discard(segments ...*segment) {
	for _, s := range segments {
		w.files.Discard(w.dir, s.file)
	}
}

// commit writes the state of a catalog.
func (d *catalogFolder) commit(c *catalog) error {
	return d.Folder.Commit(d.of(c.collection), func(mark string) any {
		st := catalogState{Collection: c.collection, Version: c.version, Mark: mark, Segments: []segmentState{}}
		for i, s := range c.segments {
			st.Segments = append(st.Segments, segmentState{File: s.file, Sum: s.sum(), Gone: packRows(c.gone[i])})
		}
		return st
	})
}

// retire removes the segments of a catalog that its successor does not have.
func (d *catalogFolder) retire(old, next *catalog) {
	for _, s := range old.segments {
		if next == nil || !slices.Contains(next.segments, s) {
			d.Discard(d.of(old.collection), s.file)
		}
	}
}

// load opens every catalog, without reading its rows.
func (d *catalogFolder) load(note func(string, ...any)) (map[semblance.CollectionID]*catalog, error) {
	return disk.LoadAll(&d.Folder, note, d.loadCatalog, (*catalog).holds)
}

// holds tells whose it is, and its files.
func (k *catalog) holds() (c semblance.CollectionID, files []string) {
	for _, f := range k.segments {
		files = append(files, f.file)
	}
	return k.collection, files
}

func (d *catalogFolder) loadCatalog(dir string, body []byte) (*catalog, error) {
	st, err := readCatalogState(body)
	if err != nil {
		return nil, err
	}
	if d.of(st.Collection) != dir {
		return nil, disk.ErrDamaged // somebody renamed it
	}
	c := &catalog{collection: st.Collection, version: st.Version}
	for _, ss := range st.Segments {
		if filepath.Base(ss.File) != ss.File {
			return nil, disk.ErrDamaged
		}
		s, err := openedSegment(dir, ss.File)
		if err != nil {
			return nil, err
		}
		if err := c.append(s, ss); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// append adds a segment that a state names.
func (c *catalog) append(s *segment, ss segmentState) error {
	if s.sum() != ss.Sum {
		return disk.ErrDamaged
	}
	gone, err := unpackRows(ss.Gone, int(s.Rows))
	if err != nil {
		return err
	}
	c.segments, c.gone = append(c.segments, s), append(c.gone, gone)
	return nil
}

// openedSegment opens a segment's file.
func openedSegment(dir, name string) (*segment, error) {
	s, err := disk.Map(filepath.Join(dir, name), headerBytes, maxFileBytes, openSegment)
	if err != nil {
		return nil, err
	}
	s.file = name
	return s, nil
}

// readCatalogState reads the body of a state file.
func readCatalogState(body []byte) (catalogState, error) {
	var st catalogState
	if err := json.Unmarshal(body, &st); err != nil || st.Version <= 0 {
		return st, disk.ErrDamaged
	}
	return st, nil
}

// CheckHashes reads every byte of the files of an index of hashes that lies in a folder, and
// returns how many entries they hold. It changes nothing, and may run beside the index's
// owner, whose changes can make it fail. A folder that is not there holds none.
func CheckHashes(path string) (entries int64, err error) {
	d := newCatalogFolder()
	d.Path = path
	err = d.Look(func(dir string, body []byte) ([]string, error) {
		c, err := d.loadCatalog(dir, body)
		if err != nil {
			return nil, err
		}
		entries += c.holding().Entries
		defer runtime.KeepAlive(c) // its files stay mapped
		return nil, disk.Guarded(c.sound)
	})
	return entries, err
}
