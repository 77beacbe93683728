package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

// An adding collects what `collection add` did, file by file.
type adding struct {
	e       *env
	p       *program
	stated  semblance.EnrollRequest // what is stated of every picture
	details *detailsFile
	extra   []hashing.Algorithm

	Added      int            `json:"added"`
	There      int            `json:"unchanged"`
	Failed     int            `json:"failed"`
	Overridden int            `json:"overridden,omitempty"` // of the added, those that the gate had refused
	Reasons    map[string]int `json:"reasons,omitempty"`    // of the failed
}

func newCollectionAdd(e *env) *cobra.Command {
	a := adding{e: e, Reasons: map[string]int{}}
	var face, age int
	var extra []string
	var csv string
	cmd := &cobra.Command{Use: "add NAME PATH...", Short: "Enroll faces (PATH/<subject>/<image>) or hash media files into a collection",
		Long: `Into a faces collection: each PATH is a folder with a folder per subject holding that
subject's pictures, or, with --subject, pictures of that subject. Each picture needs
exactly one face, unless --face says which. The collection's enrollment gate refuses
poor pictures and ones that are enrolled as somebody else; --force with --force-reason
enrolls them all the same, which is kept with the reference and in the audit chain.

--details FILE states more of each picture: a CSV file whose first line names its
columns, path[,subject][,captured][,born][,age][,note]. Paths begin in the folder of the
file; dates are 2019, 2019-05 or 2019-05-04. A date of birth gives the age at capture and
is not kept. When no date of capture is stated, the camera's is taken and marked so.

Into a hashes or known-good collection: each PATH is a media file or a folder of them.`,
		Args: atLeast(2, "the collection's name and at least one path"), RunE: func(cmd *cobra.Command, args []string) error {
			a.stated.Collection = args[0]
			if cmd.Flags().Changed("face") {
				a.stated.Face = &face
			}
			if cmd.Flags().Changed("age") {
				a.stated.Age = &age
			}
			var err error
			if a.extra, err = perceptual(extra); err != nil {
				return err
			}
			if csv != "" {
				if a.details, err = e.openDetails(csv); err != nil {
					return err
				}
			}
			return e.stored(cmd.Context(), func(p *program) error {
				a.p = p
				return a.all(cmd.Context(), args[1:])
			})
		}}
	f := cmd.Flags()
	f.StringVar(&a.stated.Subject, "subject", "", "the person all pictures are of")
	f.IntVar(&face, "face", 0, "which face of the picture, from 0; the command faces lists them")
	f.StringVar(&a.stated.Captured, "captured", "", "when the pictures were taken, as far as known: 2019, 2019-05 or 2019-05-04")
	f.StringVar(&a.stated.Born, "born", "", "when the person was born, as far as known; gives the age at capture and is not kept")
	f.IntVar(&age, "age", 0, "how old the person was when the pictures were taken, years")
	f.StringVar(&a.stated.Note, "note", "", "a note that is kept with each reference")
	f.StringVar(&csv, "details", "", "CSV file with more about each picture")
	f.BoolVar(&a.stated.Force, "force", false, "enroll what the enrollment gate refuses as well; audited")
	f.StringVar(&a.stated.Why, "force-reason", "", "why; needed with --force")
	f.StringSliceVar(&extra, "hashes", nil, "further hashes: phash, dhash, ahash of pictures (PDQ is always made); vpdq-keyframes, tmk of videos (vPDQ is always made)")
	return cmd
}

// perceptual reads the names of --hashes.
func perceptual(names []string) (out []hashing.Algorithm, err error) {
	for _, n := range list(names) {
		alg, err := hashing.ParseAlgorithm(n)
		if err != nil || !alg.IsPerceptual() && !alg.IsVideo() {
			return nil, semblance.Errorf(semblance.Invalid, "--hashes takes phash, dhash, ahash, vpdq-keyframes and tmk, not %q", n)
		}
		out = append(out, alg)
	}
	return out, nil
}

func (a *adding) all(ctx context.Context, paths []string) error {
	c, err := a.p.engine.Collections.Collection(ctx, a.stated.Collection)
	if err != nil {
		return err
	}
	if err := a.fits(c); err != nil {
		return err
	}
	for _, path := range paths {
		root, err := filepath.EvalSymlinks(a.e.path(path)) // a link is followed only when it is what was named
		if err != nil {
			_, err = a.e.open(path)
			err = a.failed(path, err)
		} else {
			err = a.walk(ctx, c, root)
		}
		if err != nil {
			return err
		}
	}
	for _, d := range a.details.unused() {
		if err := a.failed(d.path, a.whyUnused(d)); err != nil {
			return err
		}
	}
	if err := a.summary(); err != nil {
		return err
	}
	if c.Kind != semblance.Faces && a.Added > 0 {
		a.e.changed(ctx, a.p, c.Name)
	}
	switch {
	case a.Failed > 0 && a.Added+a.There == 0:
		return semblance.Errorf(semblance.Invalid, "nothing was added to %q: every file failed", c.Name).WithHint("Each failure is told above.")
	case a.Failed > 0:
		return errSomeFailed
	case a.Added+a.There == 0:
		return semblance.Errorf(semblance.Invalid, "no file was found to add").
			WithHint("For faces, lay the pictures out as PATH/<subject>/<image>, or name the person with --subject.")
	}
	return nil
}

// fits refuses what is stated of pictures where no faces are enrolled.
func (a *adding) fits(c semblance.Collection) error {
	s := a.stated
	if c.Kind == semblance.Faces || a.details == nil && s.Face == nil && s.Age == nil && !s.Force && s.Subject+s.Captured+s.Born+s.Note+s.Why == "" {
		return nil
	}
	return semblance.Errorf(semblance.Invalid, "collection %q holds %s: subjects, faces, dates and overrides are stated for a faces collection", c.Name, c.Kind)
}

// whyUnused says why a row of the details came to nothing.
func (a *adding) whyUnused(d detail) error {
	f, err := a.e.open(d.file)
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "line %d of the details: there is no such picture", d.line).WithHint("Paths in the details begin in the folder of that file.")
	}
	f.Close()
	return semblance.Errorf(semblance.Invalid, "line %d of the details: the picture is not among those that were to be added", d.line).WithHint("Name it, or its folder, as a path.")
}

// summary tells what became of the files.
func (a *adding) summary() error {
	if a.e.json {
		return a.e.emit(a)
	}
	a.e.say("%s: %d added, %d there already, %d failed", a.stated.Collection, a.Added, a.There, a.Failed)
	if a.Overridden > 0 {
		a.e.say("  added although the enrollment gate refused: %d", a.Overridden)
	}
	for _, reason := range slices.Sorted(maps.Keys(a.Reasons)) {
		a.e.say("  left out: %d %s", a.Reasons[reason], reason)
	}
	return nil
}

func (a *adding) walk(ctx context.Context, c semblance.Collection, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return a.failed(path, err)
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || rel == "." {
			rel = filepath.Base(path)
		}
		return a.file(ctx, c, path, filepath.ToSlash(rel))
	})
}

func (a *adding) file(ctx context.Context, c semblance.Collection, path, rel string) error {
	f, err := a.e.open(path)
	if err != nil {
		return a.failed(rel, err)
	}
	defer f.Close()
	var n int
	var warning string
	if c.Kind == semblance.Faces {
		n, err = a.enroll(ctx, f, path, rel)
	} else {
		n, warning, err = a.p.engine.AddMedia(ctx, a.e.who(), c.Name, rel, f, a.extra...)
	}
	switch {
	case err != nil && stopsAll(err):
		return err
	case err != nil:
		return a.failed(rel, err)
	case n == 0:
		a.There++
	default:
		a.Added++
	}
	if warning != "" {
		return a.warn(rel, warning)
	}
	return nil
}

// warn tells what a person should know of a file that was added all the same.
func (a *adding) warn(path, text string) error {
	if a.e.json {
		return a.e.emit(fileError{Event: "warning", Path: path, Reason: text})
	}
	a.e.note("%s: %s", printable(path), printable(text))
	return nil
}

// stopsAll reports whether an error is about more than one file.
func stopsAll(err error) bool {
	switch semblance.CodeOf(err) {
	case semblance.Unavailable, semblance.Canceled, semblance.ModelMismatch, semblance.NotFound, semblance.Conflict:
		return true
	}
	return false
}

func (a *adding) enroll(ctx context.Context, f *os.File, path, rel string) (int, error) {
	r := a.stated
	r.Source, r.File = rel, f
	row := a.details.of(path)
	if r.Subject == "" {
		if dir, _, ok := strings.Cut(rel, "/"); ok {
			r.Subject = dir
		}
	}
	if row != nil {
		if err := row.apply(&r); err != nil {
			return 0, err
		}
	}
	if r.Subject == "" {
		return 0, semblance.Errorf(semblance.Invalid, "it is not said whose picture this is").
			WithHint("Put it into a folder named after the subject, or give --subject.")
	}
	got, err := a.p.engine.Enroll(ctx, a.e.who(), r)
	for _, w := range got.Warnings {
		if werr := a.warn(rel, w); werr != nil && err == nil {
			err = werr
		}
	}
	if !got.Added {
		return 0, err
	}
	if got.Reference.Override != nil {
		a.Overridden++
	}
	return 1, err
}

// reasonKind is what failures are counted by.
func reasonKind(err error) string {
	var gate *semblance.GateError
	if errors.As(err, &gate) {
		return fmt.Sprintf("%s (%s)", semblance.EnrollmentRefused, gate.Refusals[0].Rule)
	}
	return string(semblance.CodeOf(err))
}

// failed tells of a file that could not be added and goes on.
func (a *adding) failed(path string, err error) error {
	a.Failed++
	a.Reasons[reasonKind(err)]++
	if a.e.json {
		return a.e.emit(fileError{Event: "error", Path: path, Code: semblance.CodeOf(err), Reason: err.Error(), Hint: semblance.HintOf(err)})
	}
	fmt.Fprintf(a.e.err, "%s: %s\n", printable(path), printable(message(err)))
	if h := semblance.HintOf(err); h != "" {
		fmt.Fprintf(a.e.err, "    %s\n", h)
	}
	return nil
}
