package disk

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"semblance"
)

// A Folder keeps what is held of collections in files: a folder for each, in it files that
// are written once and never changed, and the state, which names them and says what is gone of
// them. A change writes new files, then the new state aside, and renames it: that moment
// is the change. Everything is synced before what relies on it. A Folder without a path
// keeps nothing.
type Folder struct {
	Path   string
	What   string                          // is kept, for people
	Head   string                          // that state files begin with
	Format int                             // raised when the state means something else
	Ext    string                          // of the files' names
	Mark   func() (string, error)          // of the store's history; may be nil
	Known  func(mark string) (bool, error) // whether a mark is of it; may be nil
	// Step, in tests, is called before every change of the disk and may fail it.
	Step func(what string) error
}

// StateName is the name of a state file.
const StateName = "state"

const asideName = "state.new"

// Under makes the folder keep its files somewhere, and ask whether they are of the store's
// history.
func (d *Folder) Under(path string, mark func() (string, error), known func(mark string) (bool, error)) {
	d.Path, d.Mark, d.Known = path, mark, known
}

// Of is the folder of what has a name of several parts.
func (d *Folder) Of(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return filepath.Join(d.Path, hex.EncodeToString(sum[:16]))
}

// change does one change of the disk.
func (d *Folder) change(what string, f func() error) error {
	if d.Step != nil {
		if err := d.Step(what); err != nil {
			return err
		}
	}
	return f()
}

// mkdir makes a folder, once: to sync the one it is in takes as long as the change itself.
func (d *Folder) mkdir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := d.change("mkdir", func() error { return os.MkdirAll(dir, 0o700) }); err != nil {
		return err
	}
	return d.change("sync", func() error { return SyncFolder(d.Path) })
}

// Create writes a new file in a folder by a function that gets its path, and returns its
// name.
func (d *Folder) Create(dir string, write func(path string) error) (string, error) {
	if err := d.mkdir(dir); err != nil {
		return "", err
	}
	name := rand.Text() + d.Ext
	path := filepath.Join(dir, name)
	if err := d.change("write", func() error { return write(path) }); err != nil {
		_ = os.Remove(path) // best effort: Load removes what no state names
		return "", err
	}
	return name, nil
}

// Unwritten is the error of a disk that does not take files.
func (d *Folder) Unwritten(err error) error {
	return semblance.Errorf(semblance.Unavailable, "the %s cannot be written", d.What).
		WithHint("Make room on the disk of the data folder and see that it can be written. Nothing is lost: the index is made again from the store.").WithCause(err)
}

// Commit writes the state of a folder. state makes it of a mark.
func (d *Folder) Commit(dir string, state func(mark string) any) error {
	if d.Path == "" {
		return nil
	}
	if err := d.writeState(dir, state); err != nil {
		return d.Unwritten(err)
	}
	return nil
}

func (d *Folder) writeState(dir string, state func(mark string) any) error {
	mark := ""
	if d.Mark != nil {
		var err error
		if mark, err = d.Mark(); err != nil {
			return err
		}
	}
	body, err := json.Marshal(state(mark))
	if err != nil {
		return err
	}
	aside := filepath.Join(dir, asideName)
	content := append(fmt.Appendf(nil, "%s %d %08x\n", d.Head, d.Format, crc32.Checksum(body, Castagnoli)), body...)
	if err := d.mkdir(dir); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"sync", func() error { return SyncFolder(dir) }}, // the files' names
		{"remove", func() error { return gone(os.Remove(aside)) }},
		{"write", func() error { return WriteFile(aside, content) }},
		{"rename", func() error { return os.Rename(aside, filepath.Join(dir, StateName)) }},
		{"sync", func() error { return SyncFolder(dir) }},
	} {
		if err := d.change(step.what, step.do); err != nil {
			return err
		}
	}
	return nil
}

// ReadState returns the body of a state file, which may be anything.
func (d *Folder) ReadState(content []byte) ([]byte, error) {
	var format int
	var sum uint32
	head, body, ok := bytes.Cut(content, []byte{'\n'})
	rest, named := bytes.CutPrefix(head, []byte(d.Head+" "))
	if n, err := fmt.Sscanf(string(rest)+"\n", "%d %08x\n", &format, &sum); !ok || !named || err != nil || n != 2 || format != d.Format || sum != crc32.Checksum(body, Castagnoli) {
		return nil, ErrDamaged
	}
	return body, nil
}

// WriteFile writes a new file that only its owner reads, and syncs it.
func WriteFile(path string, content []byte) error {
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

// Discard removes files of a folder that no state names. "" is none.
func (d *Folder) Discard(dir string, files ...string) {
	for _, name := range files {
		if name != "" {
			// Best effort: Load removes what no state names.
			_ = d.change("remove", func() error { return os.Remove(filepath.Join(dir, name)) })
		}
	}
}

// Remove removes a folder, the state first, so that half of it is nothing.
func (d *Folder) Remove(dir string) error {
	if d.Path == "" {
		return nil
	}
	err := d.change("remove", func() error { return gone(os.Remove(filepath.Join(dir, StateName))) })
	if err == nil {
		err = d.change("sync", func() error { return gone(SyncFolder(dir)) })
	}
	if err == nil {
		err = d.change("remove", func() error { return os.RemoveAll(dir) })
	}
	if err != nil {
		return semblance.Errorf(semblance.Internal, "files of the %s are not removed", d.What).
			WithHint("See that the data folder can be written, and try again.").WithCause(err)
	}
	return nil
}

// Load lets open look at the state of every folder; it returns the files that are in use.
// What is damaged or left over is removed.
func (d *Folder) Load(note func(string, ...any), open func(dir string, body []byte) (files []string, err error)) error {
	unusable := func(err error) error {
		return semblance.Errorf(semblance.Unavailable, "the folder of the %s cannot be used", d.What).
			WithHint("See that the data folder belongs to you and can be read and written.").WithCause(err)
	}
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return unusable(err)
	}
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return unusable(err)
	}
	for _, e := range entries {
		dir := filepath.Join(d.Path, e.Name())
		files, err := d.loadOne(dir, open)
		switch {
		case err == nil:
			err = d.sweep(dir, files)
		case errors.Is(err, errUnknown):
		case errors.Is(err, errNoState):
			err = d.Remove(dir)
		default:
			note("files of the %s are not used and made again: %v", d.What, err)
			err = d.Remove(dir)
		}
		if err != nil {
			return unusable(err)
		}
	}
	return nil
}

// LoadAll is Load where each folder holds one thing, which open opens: it returns them by
// name. of tells the name of one, and its files that are in use.
func LoadAll[K comparable, S any](d *Folder, note func(string, ...any), open func(dir string, body []byte) (S, error), of func(S) (name K, files []string)) (map[K]S, error) {
	all := map[K]S{}
	err := d.Load(note, func(dir string, body []byte) ([]string, error) {
		s, err := open(dir, body)
		if err != nil {
			return nil, err
		}
		name, files := of(s)
		all[name] = s
		return files, nil
	})
	return all, err
}

// Look lets open look at the state of every folder and changes nothing. No folder is none.
func (d *Folder) Look(open func(dir string, body []byte) (files []string, err error)) error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return gone(err)
	}
	for _, e := range entries {
		if _, err := d.loadOne(filepath.Join(d.Path, e.Name()), open); err != nil && !errors.Is(err, errNoState) {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// errNoState says that a folder never became one of a collection, or ceased to be one.
var errNoState = errors.New("no state")

// errForeign says that files were made from another store than there is now.
var errForeign = errors.New("they were made from another store, or a newer state of this one")

// errUnknown says that the store could not be asked.
var errUnknown = errors.New("the store does not say whether they are its own")

func (d *Folder) loadOne(dir string, open func(dir string, body []byte) ([]string, error)) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(dir, StateName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoState
	}
	if err != nil {
		return nil, err
	}
	body, err := d.ReadState(content)
	if err != nil {
		return nil, err
	}
	var made struct {
		Mark string `json:"mark"`
	}
	if json.Unmarshal(body, &made) != nil {
		return nil, ErrDamaged
	}
	if d.Known != nil {
		if ok, err := d.Known(made.Mark); err != nil {
			return nil, errors.Join(errUnknown, err)
		} else if !ok {
			return nil, errForeign
		}
	}
	return open(dir, body)
}

// sweep removes what a folder has besides its state and files in use.
func (d *Folder) sweep(dir string, files []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == StateName || slices.Contains(files, e.Name()) {
			continue
		}
		if err := d.change("remove", func() error { return os.RemoveAll(filepath.Join(dir, e.Name())) }); err != nil {
			return err
		}
	}
	return nil
}
