package models

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"semblance"
)

// A bundle is a tar file. Its first entry lists the others in JSON; each of those is
// an artifact under its plain file name, in the order of the list. Times and owners
// are left out, so the same artifacts make the same bundle.
const (
	bundleList   = "semblance-models.json"
	bundleFormat = "semblance-models/1"
	maxList      = 1 << 20
)

type bundleIndex struct {
	Format string        `json:"format"`
	Files  []bundleEntry `json:"files"`
}

type bundleEntry struct {
	Name   string `json:"name"`
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Export writes one bundle with the named artifacts (or those of the named engines;
// without names everything that is there) for a machine without network. Every file
// is verified as it is written; on an error what was written is no bundle.
// Unavailable when one is missing or has been altered.
func (l *Library) Export(ctx context.Context, w io.Writer, names ...string) error {
	list, err := l.exportable(ctx, names)
	if err != nil {
		return err
	}
	index := bundleIndex{Format: bundleFormat}
	for _, a := range list {
		index.Files = append(index.Files, bundleEntry{a.Name, a.File, a.SHA256, a.Size})
	}
	head, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return fmt.Errorf("export models: %w", err)
	}
	t := tar.NewWriter(w)
	if err := addEntry(t, bundleList, int64(len(head)), bytes.NewReader(head)); err != nil {
		return notExported(err)
	}
	for _, a := range list {
		if err := l.exportOne(ctx, t, a); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return notExported(err)
	}
	return nil
}

// notExported makes the error for a bundle that could not be written.
func notExported(err error) error {
	return semblance.Errorf(semblance.Unavailable, "the bundle could not be written").
		WithHint("see that there is room where it goes").WithCause(err)
}

// exportable chooses and verifies what goes into a bundle.
func (l *Library) exportable(ctx context.Context, names []string) ([]Artifact, error) {
	if len(names) > 0 {
		list, err := l.resolve(names)
		list = slices.DeleteFunc(list, func(a Artifact) bool { return a.dir != "" }) // an own engine's folder is copied as it is
		for _, a := range list {
			err = errors.Join(err, ctx.Err(), l.check(a, false))
		}
		return list, first(err)
	}
	all, err := l.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []Artifact
	for _, s := range all {
		if s.dir != "" {
			continue // an own engine's folder is copied as it is
		}
		if s.State == Altered {
			return nil, s.Err
		}
		if s.State == Present {
			list = append(list, s.Artifact)
		}
	}
	if len(list) == 0 {
		return nil, semblance.Errorf(semblance.Unavailable, "there is no model here to export").
			WithHint("`semblance models pull` first")
	}
	return list, nil
}

// first returns the first of joined errors, so that a person reads one sentence.
func first(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return first(j.Unwrap()[0])
	}
	return err
}

func addEntry(t *tar.Writer, name string, size int64, r io.Reader) error {
	h := &tar.Header{Name: name, Mode: 0o644, Size: size, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(t, r)
	return err
}

func (l *Library) exportOne(ctx context.Context, t *tar.Writer, a Artifact) error {
	f, err := os.Open(l.path(a))
	if err != nil {
		return unreadable(a, err)
	}
	defer f.Close()
	h := sha256.New()
	r := io.TeeReader(contextReader{ctx, f}, h)
	if err := addEntry(t, a.File, a.Size, r); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return notExported(err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != a.SHA256 {
		return altered(a, got)
	}
	return nil
}

// A contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Import reads a bundle and installs all of it, or nothing: every file must be one of
// this version's manifest, of any platform, with its size and sha256. It returns the
// names installed. Invalid when the bundle is damaged or holds anything else;
// Unavailable when the folder cannot be written to.
func (l *Library) Import(ctx context.Context, r io.Reader) ([]string, error) {
	s, err := l.stage()
	if err != nil {
		return nil, err
	}
	defer s.close()
	b := &bundleReader{stage: s, ctx: ctx, tar: tar.NewReader(contextReader{ctx, r})}
	err = b.read()
	for _, a := range b.list {
		if err == nil {
			err = s.install(a, b.paths[a.File])
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case isLocal(err):
		return nil, notWritable(err)
	case err != nil:
		return nil, semblance.Errorf(semblance.Invalid, "this bundle was not imported: %v", err).
			WithHint("make it anew with `semblance models export` of the same version, and compare its sha256 after copying")
	}
	var names []string
	for _, a := range b.list {
		names = append(names, a.Name)
	}
	return names, nil
}

// bundleReader reads a bundle into the staging folder.
type bundleReader struct {
	stage *stage
	ctx   context.Context
	tar   *tar.Reader
	list  []Artifact
	paths map[string]string
}

func (b *bundleReader) read() error {
	index, err := b.index()
	if err != nil {
		return err
	}
	if b.list, err = b.stage.l.known(index); err != nil {
		return err
	}
	b.paths = map[string]string{}
	for _, a := range b.list {
		h, err := b.tar.Next()
		if err != nil {
			return fmt.Errorf("it ends before %s: %w", a.File, err)
		}
		if h.Name != a.File || h.Typeflag != tar.TypeReg || h.Size != a.Size {
			return fmt.Errorf("an entry %q of %d bytes is where %s of %d bytes belongs", h.Name, h.Size, a.File, a.Size)
		}
		path, err := b.stage.receive(b.ctx, a, b.tar, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", a.File, err)
		}
		b.paths[a.File] = path
	}
	if h, err := b.tar.Next(); err == nil {
		return fmt.Errorf("it holds %q, which its list does not name", h.Name)
	} else if err != io.EOF {
		return fmt.Errorf("it is damaged after its last file: %w", err)
	}
	return nil
}

// index reads the first entry.
func (b *bundleReader) index() (bundleIndex, error) {
	var index bundleIndex
	h, err := b.tar.Next()
	if err != nil {
		return index, fmt.Errorf("it is not a tar file: %w", err)
	}
	if h.Name != bundleList || h.Typeflag != tar.TypeReg || h.Size > maxList {
		return index, errors.New("it does not begin with " + bundleList)
	}
	d := json.NewDecoder(io.LimitReader(b.tar, maxList))
	d.DisallowUnknownFields()
	if err := d.Decode(&index); err != nil {
		return index, fmt.Errorf("its list is not readable: %w", err)
	}
	if index.Format != bundleFormat {
		return index, fmt.Errorf("it is of format %q, and %q is known", index.Format, bundleFormat)
	}
	return index, nil
}

// known looks up what a bundle lists; the manifest, not the bundle, says what is right.
func (l *Library) known(index bundleIndex) ([]Artifact, error) {
	var list []Artifact
	seen := map[string]bool{}
	for _, e := range index.Files {
		a, ok := l.manifest.byFile(e.File)
		if !ok || seen[e.File] {
			return nil, fmt.Errorf("it lists %q, which this version does not know, or twice", e.File)
		}
		if e.SHA256 != a.SHA256 || e.Size != a.Size {
			return nil, fmt.Errorf("it lists another %s than this version uses (sha256 %.64s instead of %s)", e.File, e.SHA256, a.SHA256)
		}
		seen[e.File] = true
		list = append(list, a)
	}
	if len(list) == 0 {
		return nil, errors.New("it lists nothing")
	}
	return list, nil
}
