package index

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

// A folder keeps what is held of collections in files: a folder for each, in it files that
// are written once and never changed, and the state, which names them and says what is gone of
// them. A change writes new files, then the new state aside, and renames it: that moment
// is the change. Everything is synced before what relies on it. A folder without a path
// keeps nothing.
type folder struct {
	path   string
	what   string                          // is kept, for people
	head   string                          // that state files begin with
	format int                             // raised when the state means something else
	ext    string                          // of the files' names
	mark   func() (string, error)          // of the store's history; may be nil
	known  func(mark string) (bool, error) // whether a mark is of it; may be nil
	// step, in tests, is called before every change of the disk and may fail it.
	step func(what string) error
}

const (
	stateName = "state"
	asideName = "state.new"
)

// under makes the folder keep its files somewhere.
func (d *folder) under(path string, o Options) { d.path, d.mark, d.known = path, o.Mark, o.Known }

// of is the folder of what has a name of several parts.
func (d *folder) of(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
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

// create writes a new file in a folder by a function that gets its path, and returns its
// name.
func (d *folder) create(dir string, write func(path string) error) (string, error) {
	if _, err := os.Stat(dir); err != nil {
		if err := d.change("mkdir", func() error { return os.MkdirAll(dir, 0o700) }); err != nil {
			return "", err
		}
		if err := d.change("sync", func() error { return syncFolder(d.path) }); err != nil {
			return "", err
		}
	}
	name := rand.Text() + d.ext
	path := filepath.Join(dir, name)
	if err := d.change("write", func() error { return write(path) }); err != nil {
		_ = os.Remove(path) // best effort: load removes what no state names
		return "", err
	}
	return name, nil
}

// unwritten is the error of a disk that does not take files.
func (d *folder) unwritten(err error) error {
	return semblance.Errorf(semblance.Unavailable, "the %s cannot be written", d.what).
		WithHint("Make room on the disk of the data folder and see that it can be written. Nothing is lost: the index is made again from the store.").WithCause(err)
}

// commit writes the state of a folder. state makes it of a mark.
func (d *folder) commit(dir string, state func(mark string) any) error {
	if d.path == "" {
		return nil
	}
	if err := d.writeState(dir, state); err != nil {
		return d.unwritten(err)
	}
	return nil
}

func (d *folder) writeState(dir string, state func(mark string) any) error {
	mark := ""
	if d.mark != nil {
		var err error
		if mark, err = d.mark(); err != nil {
			return err
		}
	}
	body, err := json.Marshal(state(mark))
	if err != nil {
		return err
	}
	aside := filepath.Join(dir, asideName)
	content := append(fmt.Appendf(nil, "%s %d %08x\n", d.head, d.format, crc32.Checksum(body, castagnoli)), body...)
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"mkdir", func() error { return os.MkdirAll(dir, 0o700) }},
		{"sync", func() error { return syncFolder(d.path) }},
		{"sync", func() error { return syncFolder(dir) }}, // the files' names
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

// readState returns the body of a state file, which may be anything.
func (d *folder) readState(content []byte) ([]byte, error) {
	var format int
	var sum uint32
	head, body, ok := bytes.Cut(content, []byte{'\n'})
	rest, named := bytes.CutPrefix(head, []byte(d.head+" "))
	if n, err := fmt.Sscanf(string(rest)+"\n", "%d %08x\n", &format, &sum); !ok || !named || err != nil || n != 2 || format != d.format || sum != crc32.Checksum(body, castagnoli) {
		return nil, errDamaged
	}
	return body, nil
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

// discard removes files of a folder that no state names. "" is none.
func (d *folder) discard(dir string, files ...string) {
	for _, name := range files {
		if name != "" {
			// Best effort: load removes what no state names.
			_ = d.change("remove", func() error { return os.Remove(filepath.Join(dir, name)) })
		}
	}
}

// remove removes a folder, the state first, so that half of it is nothing.
func (d *folder) remove(dir string) error {
	if d.path == "" {
		return nil
	}
	err := d.change("remove", func() error { return gone(os.Remove(filepath.Join(dir, stateName))) })
	if err == nil {
		err = d.change("sync", func() error { return gone(syncFolder(dir)) })
	}
	if err == nil {
		err = d.change("remove", func() error { return os.RemoveAll(dir) })
	}
	if err != nil {
		return semblance.Errorf(semblance.Internal, "files of the %s are not removed", d.what).
			WithHint("See that the data folder can be written, and try again.").WithCause(err)
	}
	return nil
}

// load lets open look at the state of every folder; it returns the files that are in use.
// What is damaged or left over is removed.
func (d *folder) load(note func(string, ...any), open func(dir string, body []byte) (files []string, err error)) error {
	unusable := func(err error) error {
		return semblance.Errorf(semblance.Unavailable, "the folder of the %s cannot be used", d.what).
			WithHint("See that the data folder belongs to you and can be read and written.").WithCause(err)
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return unusable(err)
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return unusable(err)
	}
	for _, e := range entries {
		dir := filepath.Join(d.path, e.Name())
		files, err := d.loadOne(dir, open)
		switch {
		case err == nil:
			err = d.sweep(dir, files)
		case errors.Is(err, errUnknown):
		case errors.Is(err, errNoState):
			err = d.remove(dir)
		default:
			note("files of the %s are not used and made again: %v", d.what, err)
			err = d.remove(dir)
		}
		if err != nil {
			return unusable(err)
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

func (d *folder) loadOne(dir string, open func(dir string, body []byte) ([]string, error)) ([]string, error) {
	content, err := os.ReadFile(filepath.Join(dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoState
	}
	if err != nil {
		return nil, err
	}
	body, err := d.readState(content)
	if err != nil {
		return nil, err
	}
	var made struct {
		Mark string `json:"mark"`
	}
	if json.Unmarshal(body, &made) != nil {
		return nil, errDamaged
	}
	if d.known != nil {
		if ok, err := d.known(made.Mark); err != nil {
			return nil, errors.Join(errUnknown, err)
		} else if !ok {
			return nil, errForeign
		}
	}
	return open(dir, body)
}

// sweep removes what a folder has besides its state and files in use.
func (d *folder) sweep(dir string, files []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == stateName || slices.Contains(files, e.Name()) {
			continue
		}
		if err := d.change("remove", func() error { return os.RemoveAll(filepath.Join(dir, e.Name())) }); err != nil {
			return err
		}
	}
	return nil
}
