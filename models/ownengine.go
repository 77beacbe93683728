package models

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"semblance"
)

// An ownEngine is a bundle as it was found when the library was opened.
type ownEngine struct {
	name    string // of the folder, which is the engine's
	bundle  semblance.EngineBundle
	needs   []string // artifacts, the network's last
	network Artifact // in the bundle's own folder; zero for a bundle of the manifest
	err     error    // why it is not usable
}

// OwnEngines returns the bundles of the manifest and of the folders of
// Options.Engines, usable or not, as they were when the library was opened.
func (l *Library) OwnEngines() []semblance.OwnEngine {
	var out []semblance.OwnEngine
	for _, o := range l.own {
		spec := o.bundle.Spec
		spec.Name = semblance.EngineName(o.name)
		out = append(out, semblance.OwnEngine{Spec: spec, Err: o.err})
	}
	return out
}

// Bundles returns what runs each own engine that is usable. Two of one name are
// both left out, as in a semblance.EngineSet.
func (l *Library) Bundles() []semblance.EngineBundle {
	set := semblance.NewEngineSet(l.OwnEngines()...)
	var out []semblance.EngineBundle
	for _, o := range l.own {
		if _, err := set.ByName(semblance.EngineName(o.name)); err == nil && o.err == nil {
			out = append(out, o.bundle)
		}
	}
	return out
}

// readOwn reads the bundles there are: those of the manifest, and one a folder.
func (l *Library) readOwn() error {
	for _, e := range l.manifest.Engines {
		if e.Bundle != nil {
			a, _ := l.manifest.byFile(e.Bundle.Network.File)
			bundle, err := l.bundle(e.Bundle, a.Name)
			l.own = append(l.own, ownEngine{name: e.Name, bundle: bundle, needs: e.Needs, err: err})
		}
	}
	folders, err := l.engineFolders()
	for _, dir := range folders {
		o := ownEngine{name: filepath.Base(dir)}
		if o.err = l.readFolder(&o, dir); o.err != nil {
			o.err = semblance.Errorf(semblance.Unavailable, "the bundle of engine %q is not usable: %v", clip(o.name, 60), o.err).
				WithHint("Mend its folder; docs/engines.md has the format, and `semblance models example FOLDER` writes an example.")
		}
		l.own = append(l.own, o)
	}
	return err
}

// engineFolders lists the folders of bundles: those in EngineDir, and those named.
func (l *Library) engineFolders() ([]string, error) {
	var out []string
	if l.opts.EngineDir != "" {
		entries, err := os.ReadDir(l.opts.EngineDir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, semblance.Errorf(semblance.Unavailable, "the folder of own engines is not readable: %v", reason(err)).
				WithHint("Look at the permissions of engines in the data folder.")
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") && (e.IsDir() || e.Type()&fs.ModeSymlink != 0) {
				out = append(out, filepath.Join(l.opts.EngineDir, e.Name()))
			}
		}
	}
	for _, dir := range l.opts.Engines {
		if dir = filepath.Clean(dir); !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out, nil
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

func (l *Library) readFolder(o *ownEngine, dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("its folder is not there: %w", reason(err))
	case !info.IsDir():
		return errors.New("it is not a folder (links are not followed)")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return reason(err)
	}
	defer root.Close()
	data, err := readPlain(root, EngineFile, maxEngineFile)
	if err != nil {
		return err
	}
	m, err := ParseEngine(data)
	if err != nil {
		return err
	}
	if m.Name != o.name {
		return fmt.Errorf("its folder is named %q and its %s says %q", clip(o.name, 60), EngineFile, m.Name)
	}
	size, err := plainSize(root, m.Network.File, maxNetwork)
	if err != nil {
		return err
	}
	model := m.Name + "/" + m.Network.File
	o.network = Artifact{Name: model, Role: "embedder", File: m.Network.File, SHA256: m.Network.SHA256, Size: size, License: m.License,
		Origin: "an own engine", Training: m.Training, dir: dir}
	if o.bundle, err = l.bundle(m, model); err != nil {
		return err
	}
	o.needs = append(detectorNeeds(m.Detector), "onnxruntime", model)
	return nil
}

// readPlain reads a plain file of a folder, not over a link and not beyond most bytes.
func readPlain(root *os.Root, name string, most int64) ([]byte, error) {
	if _, err := plainSize(root, name, most); err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("its %s is not readable: %w", name, reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("its %s is not readable: %w", name, reason(err))
	}
	return data, nil
}

func plainSize(root *os.Root, name string, most int64) (int64, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Errorf("it has no %s", name)
	case err != nil:
		return 0, fmt.Errorf("its %s is not readable: %w", name, reason(err))
	case !info.Mode().IsRegular():
		return 0, fmt.Errorf("its %s is not a plain file (links are not followed)", name)
	case info.Size() < 1 || info.Size() > most:
		return 0, fmt.Errorf("its %s has %d bytes; 1 to %d are possible", name, info.Size(), most)
	}
	return info.Size(), nil
}

// detectorNeeds lists the artifacts of a detector.
func detectorNeeds(detector string) []string {
	if detector == semblance.DetectorMTCNN {
		return []string{"mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"}
	}
	return []string{"yunet"}
}

// detectorEngine is the engine built in whose detection an own engine shares: when
// its version rises, embeddings of the same face differ.
func detectorEngine(detector string) semblance.EngineName {
	if detector == semblance.DetectorMTCNN {
		return semblance.MTCNNMobileFaceNet
	}
	return semblance.YuNetMobileFaceNet
}

func (l *Library) bundle(m *EngineManifest, model string) (semblance.EngineBundle, error) {
	spec, err := semblance.EngineByName(detectorEngine(m.Detector))
	if err != nil {
		return semblance.EngineBundle{}, err
	}
	parts := map[string]string{"version": strconv.Itoa(spec.Version)}
	for _, n := range detectorNeeds(m.Detector) {
		a, err := l.artifact(n)
		if err != nil {
			return semblance.EngineBundle{}, err
		}
		parts[n] = a.SHA256
	}
	return m.Bundle(model, parts), nil
}
