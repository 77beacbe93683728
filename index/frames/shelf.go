package frames

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"

	"semblance"
	"semblance/index/disk"
)

// A shelf is what is held of one collection besides the frames. It is never changed once
// it is visible; a successor shares its reels.
type shelf struct {
	collection semblance.CollectionID
	version    int64
	reels      []*reel
	gone       []map[int64]bool // of each reel, the entries
}

// holding says what is held.
func (s *shelf) holding() semblance.HashHolding {
	h := semblance.HashHolding{Version: s.version}
	for i, r := range s.reels {
		h.Entries += int64(len(r.entries) - len(s.gone[i]))
		for _, e := range r.entries {
			h.Last = max(h.Last, semblance.EntryID(e.ID))
		}
	}
	return h
}

// each calls f for the entries that are not gone.
func (s *shelf) each(f func(r *reel, e entry) error) error {
	for i, r := range s.reels {
		for _, e := range r.entries {
			if s.gone[i][e.ID] {
				continue
			}
			if err := f(r, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// without returns a successor that lacks entries, and the numbers of their frames.
func (s *shelf) without(ids map[int64]bool) (next *shelf, frames []semblance.EntryID) {
	next = &shelf{collection: s.collection, version: s.version, reels: slices.Clone(s.reels), gone: slices.Clone(s.gone)}
	for i, r := range s.reels {
		var more []int64
		for _, e := range r.entries {
			if !ids[e.ID] || s.gone[i][e.ID] {
				continue
			}
			more = append(more, e.ID)
			for n := range e.Frames {
				frames = append(frames, frameID(e.ID, n))
			}
		}
		if len(more) == 0 {
			continue
		}
		if next.gone[i] = maps.Clone(s.gone[i]); next.gone[i] == nil {
			next.gone[i] = map[int64]bool{}
		}
		for _, id := range more {
			next.gone[i][id] = true
		}
	}
	return next, frames
}

// absorb moves into a writer, for which there will be a reel, the reels that are not
// twice as large, and those of which a quarter is gone.
func (s *shelf) absorb(w *writer) error {
	for i := len(s.reels) - 1; i >= 0; i-- {
		n := len(s.reels[i].entries)
		if n >= 2*len(w.entries) && 4*len(s.gone[i]) < n {
			continue
		}
		if err := w.take(s.reels[i], s.gone[i]); err != nil {
			return err
		}
		s.reels, s.gone = slices.Delete(s.reels, i, i+1), slices.Delete(s.gone, i, i+1)
	}
	return nil
}

// A state is the content of a state file.
type state struct {
	Collection semblance.CollectionID `json:"collection"`
	Version    int64                  `json:"version"`
	Mark       string                 `json:"mark,omitempty"`
	Reels      []reelState            `json:"reels"`
}

type reelState struct {
	File string  `json:"file"`
	Sum  uint32  `json:"sum"`            // of the reel, but for the means, whose checksums are in it
	Gone []int64 `json:"gone,omitempty"` // entries, ascending
}

// A shelfFolder keeps shelves in files: a file for each reel.
type shelfFolder struct{ disk.Folder }

func newShelfFolder() shelfFolder {
	return shelfFolder{disk.Folder{What: "index of videos", Head: "semblance videos", Format: 1, Ext: ".reel"}}
}

// reel writes a reel.
func (d *shelfFolder) reel(c semblance.CollectionID, w *writer) (*reel, error) {
	image := w.image()
	if d.Path == "" {
		return openReel(image)
	}
	dir := d.Of(string(c))
	name, err := d.Create(dir, func(path string) error { return disk.WriteFile(path, image) })
	if err != nil {
		return nil, d.Unwritten(err)
	}
	r, err := mapReel(dir, name)
	if err != nil {
		d.Discard(dir, name)
		return nil, d.Unwritten(err)
	}
	return r, nil
}

// mapReel maps a reel's file. The mapping ends when nobody reaches the reel any more.
func mapReel(dir, name string) (*reel, error) {
	r, err := disk.Map(filepath.Join(dir, name), headerBytes, maxReelBytes, openReel)
	if err != nil {
		return nil, err
	}
	r.file = name
	return r, nil
}

// commit writes the state of a shelf.
func (d *shelfFolder) commit(s *shelf) error {
	return d.Commit(d.Of(string(s.collection)), func(mark string) any {
		st := state{Collection: s.collection, Version: s.version, Mark: mark, Reels: []reelState{}}
		for i, r := range s.reels {
			st.Reels = append(st.Reels, reelState{File: r.file, Sum: r.Sum, Gone: slices.Sorted(maps.Keys(s.gone[i]))})
		}
		return st
	})
}

// load opens every shelf. It reads the entries of its reels, 16 bytes each, and no means.
func (d *shelfFolder) load(note func(string, ...any)) (map[semblance.CollectionID]*shelf, error) {
	return disk.LoadAll(&d.Folder, note, d.loadShelf, (*shelf).holds)
}

// holds tells whose it is, and its files.
func (s *shelf) holds() (c semblance.CollectionID, files []string) {
	for _, f := range s.reels {
		files = append(files, f.file)
	}
	return s.collection, files
}

func (d *shelfFolder) loadShelf(dir string, body []byte) (*shelf, error) {
	var st state
	if err := json.Unmarshal(body, &st); err != nil || st.Version <= 0 || d.Of(string(st.Collection)) != dir {
		return nil, disk.ErrDamaged
	}
	s := &shelf{collection: st.Collection, version: st.Version}
	for _, rs := range st.Reels {
		if filepath.Base(rs.File) != rs.File {
			return nil, disk.ErrDamaged
		}
		r, err := mapReel(dir, rs.File)
		if err != nil {
			return nil, err
		}
		gone := map[int64]bool{}
		for _, id := range rs.Gone {
			gone[id] = true
		}
		there := 0
		for _, e := range r.entries {
			if gone[e.ID] {
				there++
			}
		}
		if r.Sum != rs.Sum || there != len(gone) {
			return nil, disk.ErrDamaged
		}
		s.reels, s.gone = append(s.reels, r), append(s.gone, gone)
	}
	return s, nil
}
