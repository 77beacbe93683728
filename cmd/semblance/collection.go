package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/hashing"
)

func newCollection(e *env) *cobra.Command {
	return group("collection", "Create, fill, list and delete reference collections",
		newCollectionCreate(e), newCollectionAdd(e), newCollectionImport(e), newCollectionExport(e), newCollectionList(e), newCollectionShow(e), newCollectionDelete(e), newCollectionReenroll(e))
}

func newCollectionCreate(e *env) *cobra.Command {
	var c semblance.Collection
	var kind, engine string
	cmd := &cobra.Command{Use: "create NAME --kind faces|hashes|known-good --owner A --country CC --basis B", Short: "Create a collection; a faces collection keeps its engine",
		Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
			c.Name, c.Kind, c.Engine = args[0], semblance.CollectionKind(kind), semblance.EngineName(engine)
			return e.stored(cmd.Context(), func(p *program) error {
				got, err := p.engine.CreateCollection(cmd.Context(), e.who(), c)
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(got)
				}
				e.say("collection %s created (%s)", got.Name, kindOf(got))
				return nil
			})
		}}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "faces, hashes or known-good")
	f.StringVar(&c.Owner, "owner", "", "agency that owns it")
	f.StringVar(&c.Country, "country", "", "its country, two letters")
	f.StringVar(&c.Basis, "basis", "", "legal basis of keeping and searching it")
	f.StringVar(&c.Handling, "handling", "", "handling code")
	f.StringVar(&c.Review, "review", "", "date it is to be reviewed, YYYY-MM-DD")
	f.StringVar(&engine, "engine", "", "face engine; empty is "+string(semblance.DefaultEngine))
	f.Float64Var(&c.FaceDistance, "face-distance", 0, "largest distance of a candidate; 0 is the engine's default")
	f.IntVar(&c.PDQDistance, "pdq-distance", 0, fmt.Sprintf("largest PDQ distance of a near match, bits; 0 is %d", semblance.DefaultPDQDistance))
	f.IntVar(&c.PDQQuality, "pdq-quality", 0, fmt.Sprintf("PDQ quality under which nothing is compared; 0 is %d", semblance.DefaultPDQQuality))
	f.IntVar(&c.HashDistance, "hash-distance", 0, fmt.Sprintf("largest distance of pHash, dHash and aHash, bits; 0 is %d", semblance.DefaultHashDistance))
	return cmd
}

func kindOf(c semblance.Collection) string {
	if c.Kind == semblance.Faces {
		return fmt.Sprintf("%s, engine %s", c.Kind, c.Engine)
	}
	return string(c.Kind)
}

// An adding collects what `collection add` did, file by file.
type adding struct {
	e      *env
	p      *program
	name   string
	subj   string
	face   *int
	force  bool
	extra  []hashing.Algorithm
	Added  int `json:"added"`
	There  int `json:"unchanged"`
	Failed int `json:"failed"`
}

func newCollectionAdd(e *env) *cobra.Command {
	a := adding{e: e}
	var face int
	var extra []string
	cmd := &cobra.Command{Use: "add NAME PATH...", Short: "Enroll faces (PATH/<subject>/<image>) or hash media files into a collection",
		Long: `Into a faces collection: each PATH is a folder with a folder per subject holding that
subject's pictures, or, with --subject, pictures of that subject. Each picture needs
exactly one face, unless --face says which.

Into a hashes or known-good collection: each PATH is a media file or a folder of them.`,
		Args: atLeast(2, "the collection's name and at least one path"), RunE: func(cmd *cobra.Command, args []string) error {
			a.name = args[0]
			if cmd.Flags().Changed("face") {
				a.face = &face
			}
			for _, n := range list(extra) {
				alg, err := hashing.ParseAlgorithm(n)
				if err != nil || !alg.IsPerceptual() {
					return semblance.Errorf(semblance.Invalid, "--hashes takes phash, dhash and ahash, not %q", n)
				}
				a.extra = append(a.extra, alg)
			}
			return e.stored(cmd.Context(), func(p *program) error {
				a.p = p
				return a.all(cmd.Context(), args[1:])
			})
		}}
	f := cmd.Flags()
	f.StringVar(&a.subj, "subject", "", "the person all pictures are of")
	f.IntVar(&face, "face", 0, "which face of the picture, from 0; the command faces lists them")
	f.BoolVar(&a.force, "force", false, "enroll faces that are too poor as well; audited")
	f.StringSliceVar(&extra, "hashes", nil, "further hashes of media files: phash, dhash, ahash (PDQ is always made)")
	return cmd
}

func (a *adding) all(ctx context.Context, paths []string) error {
	c, err := a.p.engine.Collections.Collection(ctx, a.name)
	if err != nil {
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
	if a.e.json {
		err = a.e.emit(a)
	} else {
		a.e.say("%s: %d added, %d there already, %d failed", a.name, a.Added, a.There, a.Failed)
	}
	switch {
	case err != nil:
		return err
	case a.Failed > 0 && a.Added+a.There == 0:
		return semblance.Errorf(semblance.Invalid, "nothing was added to %q: every file failed", a.name).WithHint("Each failure is told above.")
	case a.Failed > 0:
		return errSomeFailed
	case a.Added+a.There == 0:
		return semblance.Errorf(semblance.Invalid, "no file was found to add").
			WithHint("For faces, lay the pictures out as PATH/<subject>/<image>, or name the person with --subject.")
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
		n, err = a.enroll(ctx, f, rel)
	} else {
		n, warning, err = a.p.engine.AddMedia(ctx, a.e.who(), a.name, rel, f, a.extra...)
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
		a.e.note("%s: %s", printable(rel), warning)
	}
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

func (a *adding) enroll(ctx context.Context, f *os.File, rel string) (int, error) {
	subject := a.subj
	if subject == "" {
		dir, _, ok := strings.Cut(rel, "/")
		if !ok {
			return 0, semblance.Errorf(semblance.Invalid, "it is not said whose picture this is").
				WithHint("Put it into a folder named after the subject, or give --subject.")
		}
		subject = dir
	}
	_, added, err := a.p.engine.Enroll(ctx, a.e.who(), semblance.EnrollRequest{Collection: a.name, Subject: subject, Source: rel, Face: a.face, Force: a.force, File: f})
	if added {
		return 1, err
	}
	return 0, err
}

// failed tells of a file that could not be added and goes on.
func (a *adding) failed(path string, err error) error {
	a.Failed++
	if a.e.json {
		return a.e.emit(fileError{Event: "error", Path: path, Code: semblance.CodeOf(err), Reason: err.Error(), Hint: semblance.HintOf(err)})
	}
	fmt.Fprintf(a.e.err, "%s: %s\n", printable(path), printable(message(err)))
	if h := semblance.HintOf(err); h != "" {
		fmt.Fprintf(a.e.err, "    %s\n", h)
	}
	return nil
}

func newCollectionImport(e *env) *cobra.Command {
	var format string
	cmd := &cobra.Command{Use: "import NAME FILE [--format F]", Short: "Import a plain list of hashes, one a line; FILE may be - for standard input",
		Long: `Lines are hexadecimal MD5 (32 digits), SHA-1 (40) or SHA-256 (64), each optionally
followed by a comma and a note; or ALGORITHM:HEX (pdq:..., phash:...); or as md5sum
writes them. A note size=N gives the file's size, which a known-good SHA-1 needs. 64
digits are SHA-256 unless --format pdq. Lines that cannot be read are left out and
reported.`,
		Args: exactly(2, "the collection's name and a file"), RunE: func(cmd *cobra.Command, args []string) error {
			def := hashing.AlgorithmSHA256
			if format != "" && format != "plain" {
				var err error
				if def, err = hashing.ParseAlgorithm(format); err != nil {
					return semblance.Errorf(semblance.Invalid, "%v", err).WithHint("Formats of this version are plain lists: md5, sha1, sha256, pdq, phash, dhash, ahash.")
				}
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.importList(cmd.Context(), p, args[0], args[1], def) })
		}}
	cmd.Flags().StringVar(&format, "format", "", "md5, sha1, sha256, pdq, phash, dhash or ahash")
	return cmd
}

func (e *env) importList(ctx context.Context, p *program, name, path string, def hashing.Algorithm) error {
	var r io.Reader = e.stdin(ctx)
	source := "standard input"
	if path != "-" {
		f, err := e.open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r, source = f, filepath.Base(path)
	}
	res, err := p.engine.ImportHashes(ctx, e.who(), name, source, def, r)
	if e.json {
		if jerr := e.emit(res); err == nil {
			err = jerr
		}
	} else if res.Lines > 0 || err == nil {
		for _, b := range res.BadLines {
			fmt.Fprintf(e.err, "line %d: %s\n", b.Line, printable(b.Reason))
		}
		if more := res.Bad - len(res.BadLines); more > 0 {
			fmt.Fprintf(e.err, "and %d more lines that cannot be read\n", more)
		}
		e.say("%s: %s read, %d added, %d there already, %d of nothing (empty file, all zeros) dropped, %d empty lines and comments, %d left out",
			name, count(int64(res.Lines), "line", "lines"), res.Added, res.Duplicate, res.Trivial, res.Blank, res.Bad)
	}
	switch {
	case err != nil:
		return err
	case res.Bad > 0 && res.Added+res.Duplicate+res.Trivial == 0:
		return semblance.Errorf(semblance.Invalid, "no line of the list could be read").WithHint("The first: line %d: %s", res.BadLines[0].Line, res.BadLines[0].Reason)
	case res.Bad > 0:
		return errSomeFailed
	}
	return nil
}

func newCollectionList(e *env) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List collections", Args: none, RunE: func(cmd *cobra.Command, _ []string) error {
		return e.stored(cmd.Context(), func(p *program) error {
			cols, err := p.engine.Collections.Collections(cmd.Context())
			if err != nil {
				return err
			}
			t := newTable("NAME", "KIND", "OWNER", "COUNTRY", "SUBJECTS", "ENTRIES", "ENGINE", "THRESHOLD", "REVIEW")
			for _, c := range cols {
				if e.json {
					if err := e.emit(c); err != nil {
						return err
					}
					continue
				}
				t.row(c.Name, c.Kind, c.Owner, c.Country, c.Subjects, c.Entries, c.Engine, thresholdOf(c), c.Review)
			}
			if !e.json {
				t.print(e.out)
			}
			return nil
		})
	}}
}

func thresholdOf(c semblance.Collection) string {
	switch c.Kind {
	case semblance.Faces:
		return fmt.Sprintf("%.4f", c.FaceDistance)
	case semblance.Hashes:
		return fmt.Sprintf("PDQ %d bits", c.PDQDistance)
	}
	return "equality"
}

func newCollectionShow(e *env) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show a collection and what it holds", Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
		return e.stored(cmd.Context(), func(p *program) error { return e.showCollection(cmd.Context(), p, args[0]) })
	}}
}

// shownReferences is how many references and entries `show` prints.
const shownReferences = 50

var errEnough = errors.New("enough")

func (e *env) showCollection(ctx context.Context, p *program, name string) error {
	c, err := p.engine.Collections.Collection(ctx, name)
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(c)
	}
	e.say("%s: %s", c.Name, kindOf(c))
	e.say("  owner %s, %s; basis: %s", c.Owner, c.Country, c.Basis)
	if c.Handling+c.Review != "" {
		e.say("  handling %q, review %q", c.Handling, c.Review)
	}
	e.say("  %s, %s, threshold %s, version %d", count(c.Subjects, "subject", "subjects"), count(c.Entries, "entry", "entries"), thresholdOf(c), c.Version)
	if c.Kind == semblance.Faces {
		return e.showReferences(ctx, p, c)
	}
	t := newTable("ALGORITHM", "VALUE", "QUALITY", "SOURCE", "NOTE")
	err = p.engine.Entries.EachEntry(ctx, c.ID, 0, func(h semblance.HashEntry) error {
		if len(t.rows) == shownReferences {
			return errEnough
		}
		q := ""
		if h.Quality >= 0 {
			q = fmt.Sprint(h.Quality)
		}
		t.row(h.Algorithm, fmt.Sprintf("%x", h.Value), q, h.Source, h.Note)
		return nil
	})
	t.print(e.out)
	return e.more(err, c.Entries)
}

func (e *env) showReferences(ctx context.Context, p *program, c semblance.Collection) error {
	t := newTable("SUBJECT", "SOURCE", "QUALITY", "SHA-256", "ENROLLED")
	err := p.engine.References.EachReference(ctx, c.ID, func(r semblance.Reference) error {
		if len(t.rows) == shownReferences {
			return errEnough
		}
		t.row(r.Subject, r.Source, fmt.Sprintf("%.0f", r.Face.Quality), r.SHA256.String()[:16], day(r.Created))
		return nil
	})
	t.print(e.out)
	return e.more(err, c.Entries)
}

func (e *env) more(err error, total int64) error {
	if errors.Is(err, errEnough) {
		e.say("and %d more", total-shownReferences)
		return nil
	}
	return err
}

func newCollectionDelete(e *env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "delete NAME --yes", Short: "Erase a collection with all it holds, and prove it by counting", Args: exactly(1, "the collection's name"), RunE: func(cmd *cobra.Command, args []string) error {
		if !yes {
			return semblance.Errorf(semblance.Invalid, "deleting %q erases its references, vectors, crops and originals for good", args[0]).WithHint("Say --yes when that is meant.")
		}
		return e.stored(cmd.Context(), func(p *program) error {
			gone, err := p.engine.DeleteCollection(cmd.Context(), e.who(), args[0])
			if err != nil {
				return err
			}
			if e.json {
				return e.emit(gone)
			}
			e.say("collection %s deleted: %s before, %d after, %s erased", args[0], count(gone.Before, "row", "rows"), gone.After, count(int64(len(gone.Objects)), "original", "originals"))
			return nil
		})
	}}
	cmd.Flags().BoolVar(&yes, "yes", false, "it is meant")
	return cmd
}

func newCollectionReenroll(e *env) *cobra.Command {
	var engine string
	cmd := &cobra.Command{Use: "reenroll NAME --engine E", Short: "Make a faces collection's embeddings again with another engine, from the kept originals", Args: exactly(1, "the collection's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.stored(cmd.Context(), func(p *program) error {
				res, err := p.engine.Reenroll(cmd.Context(), e.who(), args[0], semblance.EngineName(engine))
				for _, f := range res.Failed {
					e.note("%s: %s", printable(f.Text), f.Reason)
				}
				if err != nil {
					return err
				}
				if e.json {
					return e.emit(res)
				}
				e.say("collection %s: %s enrolled again with engine %s", args[0], count(int64(res.References), "reference", "references"), engine)
				return nil
			})
		}}
	cmd.Flags().StringVar(&engine, "engine", string(semblance.DefaultEngine), "the engine to change to")
	return cmd
}
