package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/report"
)

// searchFused searches several pictures of one person as one probe.
func (e *env) searchFused(ctx context.Context, r semblance.SearchRequest, faces string, paths []string) error {
	which, err := fusedFaces(faces, len(paths))
	if err != nil {
		return err
	}
	f := semblance.FusedRequest{SearchRequest: r}
	for i, p := range paths {
		f.Pictures = append(f.Pictures, semblance.Probe{Name: filepath.Base(p), Face: which[i], Open: func() (*os.File, error) { return e.open(p) }})
	}
	return e.stored(ctx, func(p *program) error {
		res, err := p.engine.SearchFused(ctx, e.who(), f)
		if err != nil {
			return err
		}
		return e.printSearch(res)
	})
}

// fusedFaces reads which face of each picture is meant: 0,-,2, where - is its only
// one.
func fusedFaces(text string, n int) ([]*int, error) {
	out := make([]*int, n)
	if text == "" {
		return out, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) != n {
		return nil, semblance.Errorf(semblance.Invalid, "--face %s names %d faces for %d pictures", text, len(parts), n).WithHint("Give one for each picture, such as 0,-,2, with - for a picture with one face.")
	}
	for i, p := range parts {
		if p = strings.TrimSpace(p); p == "-" || p == "" {
			continue
		}
		face, err := strconv.Atoi(p)
		if err != nil || face < 0 {
			return nil, semblance.Errorf(semblance.Invalid, "%q is not a face", p).WithHint("Give its number from 0, or - for a picture with one face.")
		}
		out[i] = &face
	}
	return out, nil
}

// probes lists the probes of a folder or of a list.
func (e *env) probes(name string) ([]semblance.Probe, []semblance.BadLine, error) {
	info, err := os.Stat(e.path(name))
	if err == nil && info.IsDir() {
		probes, err := e.probesOfFolder(name)
		return probes, nil, err
	}
	f, err := e.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, semblance.Errorf(semblance.NotFound, "there is no folder or list of probes at %q", name).
			WithHint("Give --probes a folder of pictures, or a list with a line for each picture: path,reference.").WithCause(err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	lines, bad, err := semblance.ReadProbes(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	var out []semblance.Probe
	for _, l := range lines {
		path := l.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(e.path(name)), path)
		}
		out = append(out, semblance.Probe{Name: l.Path, Reference: l.Reference, Face: l.Face, Open: func() (*os.File, error) { return e.open(path) }})
	}
	if len(out)+len(bad) == 0 {
		return nil, nil, semblance.Errorf(semblance.Invalid, "the list %q has no probe", name).WithHint("Give it a line for each picture: path,reference.")
	}
	return out, bad, nil
}

// probesOfFolder takes every file of a folder and its folders as a probe; its path
// without the extension is its reference. Hidden files are left out.
func (e *env) probesOfFolder(name string) ([]semblance.Probe, error) {
	var out []semblance.Probe
	root := e.path(name)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return semblance.Errorf(semblance.Invalid, "a part of the folder %q cannot be read", name).WithHint("Nothing was searched: a probe that is not seen would be missing without a word.").WithCause(err)
		case path != root && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || strings.HasPrefix(d.Name(), "."):
			return nil
		case len(out) == semblance.MaxProbes:
			return semblance.Errorf(semblance.Invalid, "the folder %q has more than %d probes", name, semblance.MaxProbes).WithHint("That is a device: use `semblance scan`.")
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out = append(out, semblance.Probe{Name: rel, Reference: strings.TrimSuffix(rel, filepath.Ext(rel)), Open: func() (*os.File, error) { return e.open(path) }})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, semblance.Errorf(semblance.Invalid, "the folder %q has no picture to search with", name).WithHint("Put the probes there, or give a list (CSV with path,reference).")
	}
	slices.SortFunc(out, func(a, b semblance.Probe) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// searchSheet searches many probes and makes one sheet of the answers.
func (e *env) searchSheet(cmd *cobra.Command, r semblance.SearchRequest, from, sheet string, force bool) error {
	format := report.HTML
	switch ext := strings.ToLower(filepath.Ext(sheet)); {
	case ext == ".csv":
		format = report.CSV
	case ext == ".html", ext == ".htm", sheet == "":
	default:
		return semblance.Errorf(semblance.Invalid, "%q is no name of a sheet", sheet).WithHint("Let it end in .csv for a spreadsheet or .html for a page.")
	}
	if sheet != "" {
		if err := e.writable(sheet, force); err != nil {
			return err
		}
	}
	probes, bad, err := e.probes(from)
	if err != nil {
		return err
	}
	return e.stored(cmd.Context(), func(p *program) error {
		s := report.SheetSource{Bad: bad}
		for _, b := range bad {
			e.note("%s, line %d: %s", printable(filepath.Base(from)), b.Line, printable(b.Reason))
		}
		if len(probes) == 0 {
			return errReported
		}
		s.Sheet, err = p.engine.SearchSheet(cmd.Context(), e.who(), semblance.SheetRequest{SearchRequest: r, Probes: probes}, func(row semblance.SheetRow) error {
			if row.Error != "" {
				e.note("%s: %s", printable(row.Probe), printable(row.Error))
			}
			s.Rows = append(s.Rows, row)
			if e.json {
				return e.emit(sheetLine{"probe", row})
			}
			return nil
		})
		if err != nil {
			return err
		}
		return e.endSheet(s, sheet, force, format)
	})
}

// A sheetLine is one probe of a sheet for programs; a sheetEnd ends them.
type sheetLine struct {
	Event string `json:"event"`
	semblance.SheetRow
}

type sheetEnd struct {
	Event string `json:"event"`
	semblance.Sheet
	Bad []semblance.BadLine `json:"bad_lines,omitempty"`
}

func (e *env) endSheet(s report.SheetSource, sheet string, force bool, format report.Format) error {
	if sheet != "" {
		if err := e.writeFile(sheet, force, func(w io.Writer) error { return report.WriteSheet(w, format, s) }); err != nil {
			return err
		}
	}
	if e.json {
		if err := e.emit(sheetEnd{"summary", s.Sheet, s.Bad}); err != nil {
			return err
		}
	} else {
		e.printSheet(s)
	}
	if s.Failed+len(s.Bad) > 0 {
		return errSomeFailed
	}
	return nil
}

func (e *env) printSheet(s report.SheetSource) {
	t := newTable("REFERENCE", "QUALITY", "OUTCOME", "COLLECTION", "SUBJECT", "DISTANCE", "BAND", "MARGIN", "PROBE")
	var bands footnotes
	for _, r := range s.Rows {
		quality := "-"
		if r.Face != nil {
			quality = fmt.Sprintf("%.0f", r.Quality)
		}
		if r.Best == nil {
			t.row(r.Reference, quality, r.Outcome, "-", "-", "-", "-", "-", r.Probe)
			continue
		}
		for _, c := range r.Cells {
			if b := c.Best; b != nil {
				t.row(r.Reference, quality, r.Outcome, c.Collection, b.Subject, four(b.Distance), bands.mark(b.Band), fourOrNot(b.Margin), r.Probe)
			}
		}
	}
	t.print(e.out)
	e.printBands(bands, len(s.Collections))
	for _, name := range s.Excluded {
		e.say("not searched: collection %s is of another country", name)
	}
	for _, w := range s.Warnings {
		e.say("warning: %s", printable(w))
	}
	e.say("%s in %s: %d with a potential candidate, %d with no candidate, %d inconclusive, %d of them failed; %s left out",
		count(int64(s.Probes), "probe", "probes"), count(int64(len(s.Collections)), "collection", "collections"), s.Potential, s.None, s.Open, s.Failed, count(int64(len(s.Bad)), "line", "lines"))
	e.say("%s", s.Engine.Limits)
}
