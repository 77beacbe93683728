package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"semblance"
)

// A bundle is one provider's folder.
type bundle struct {
	dir      string
	name     semblance.ProviderName
	manifest Manifest
	err      error // why it cannot be used, as far as the manifest tells

	mu    sync.Mutex
	known map[string]stamp // of files whose sum was found right
}

// A stamp is by what a file is taken for unchanged.
type stamp struct {
	size  int64
	mtime int64
	mode  fs.FileMode
}

// readBundles reads the folders in a folder. One that is not there has none.
func readBundles(dir string) ([]*bundle, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, semblance.Errorf(semblance.Unavailable, "the folder of providers is not readable: %v", reason(err)).
			WithHint("Look at the permissions of providers in the data folder.")
	}
	var out []*bundle
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b := &bundle{dir: filepath.Join(dir, e.Name()), name: semblance.ProviderName(clip(e.Name(), 60)), known: map[string]stamp{}}
		if !e.IsDir() {
			b.err = b.unusable(errors.New("it is not a folder (links are not followed)"))
		} else if err := b.read(); err != nil {
			b.err = b.unusable(err)
		}
		out = append(out, b)
	}
	return out, nil
}

func (b *bundle) unusable(err error) *semblance.Error {
	return semblance.Errorf(semblance.Unavailable, "provider %q cannot be used: %v", string(b.name), err).
		WithHint("Mend its folder (docs/providers.md has the format), or disable it: \"enabled\": false in its %s.", ManifestFile)
}

func (b *bundle) read() error {
	data, err := readPlain(filepath.Join(b.dir, ManifestFile), maxManifest)
	if err != nil {
		return fmt.Errorf("%s: %w", ManifestFile, err)
	}
	m, err := ParseManifest(data)
	if err != nil {
		return err
	}
	b.manifest = m
	if m.Name != b.name {
		return fmt.Errorf("its folder is named %q and its %s says %q", string(b.name), ManifestFile, string(m.Name))
	}
	return nil
}

func (b *bundle) enabled() bool { return b.manifest.Enabled == nil || *b.manifest.Enabled }

// program is the path of what is run.
func (b *bundle) program() string {
	if filepath.IsAbs(b.manifest.Program) {
		return b.manifest.Program
	}
	return filepath.Join(b.dir, b.manifest.Program)
}

// verify makes sure that the folder holds what the manifest says, and nothing else. A
// file whose size, time and mode are those of the last look is not read again.
func (b *bundle) verify() error {
	if b.err != nil {
		return b.err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := map[string]bool{}
	err := filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return reason(err)
		}
		name, err := filepath.Rel(b.dir, path)
		if err != nil || e.IsDir() || name == ManifestFile {
			return err
		}
		name = filepath.ToSlash(name)
		seen[name] = true
		return b.verifyFile(name, path, e)
	})
	for name := range b.manifest.Files {
		if err == nil && !seen[name] {
			err = fmt.Errorf("its file %q is missing", clip(name, 60))
		}
	}
	if err == nil {
		err = b.runnable()
	}
	if err != nil {
		return b.unusable(err)
	}
	return nil
}

func (b *bundle) verifyFile(name, path string, e fs.DirEntry) error {
	want, listed := b.manifest.Files[name]
	if !listed {
		return fmt.Errorf("the file %q is in its folder and not in its %s", clip(name, 60), ManifestFile)
	}
	info, err := e.Info()
	if err != nil {
		return reason(err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%q is not a regular file", clip(name, 60))
	}
	now := stamp{info.Size(), info.ModTime().UnixNano(), info.Mode()}
	if b.known[name] == now {
		return nil
	}
	got, err := fileSum(path)
	if err != nil {
		return reason(err)
	}
	if got != want {
		return fmt.Errorf("its file %q was changed: its sha256 is %s and not %s", clip(name, 60), got, want)
	}
	b.known[name] = now
	return nil
}

// runnable makes sure that the program is there and may be run.
func (b *bundle) runnable() error {
	info, err := os.Stat(b.program())
	if err != nil {
		return fmt.Errorf("its program %q: %w", b.manifest.Program, reason(err))
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("its program %q is no file that may be run", b.manifest.Program)
	}
	return nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// readPlain reads a regular file, not over a link and not beyond most bytes.
func readPlain(path string, most int64) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, reason(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > most:
		return nil, fmt.Errorf("it has more than %d bytes", most)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, reason(err)
	}
	return b, nil
}

// reason is an error of the file system without the path: sentences are shown to
// people who need not know the server's folders.
func reason(err error) error {
	var where *fs.PathError
	if errors.As(err, &where) {
		return where.Err
	}
	return err
}

// sortBundles puts them in the order of names.
func sortBundles(all []*bundle) {
	slices.SortFunc(all, func(a, b *bundle) int { return strings.Compare(string(a.name), string(b.name)) })
}
