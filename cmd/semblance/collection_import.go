package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/exchange"
	"semblance/hashing"
)

// An importOrder says what is imported as what.
type importOrder struct {
	collection, path string
	format           string
	set, entries     bool // how a plain list is kept, when it is said
}

func newCollectionImport(e *env) *cobra.Command {
	var o importOrder
	cmd := &cobra.Command{Use: "import NAME FILE [--format F]", Short: "Import a list of hashes or selectors of any size; FILE may be - for a plain list on standard input",
		Long: `A plain list has one hash a line: hexadecimal MD5 (32 digits), SHA-1 (40) or SHA-256 (64),
each optionally followed by a comma and a note; or ALGORITHM:HEX (pdq:..., phash:...); or
photodna: and 192 characters of base64 or 288 hex digits; or as md5sum writes them. A note
size=N gives the file's size, which a known-good SHA-1 needs. What 64 bare digits are is
not guessed: say --format sha256 or --format pdq (a known-good collection takes digests
only, so that there they are SHA-256). Lines that cannot be read are left out and
reported.

NSRL (RDSv3 as a database, minimal or full; NSRLFile.txt, with application types when
NSRLProd.txt is beside it), HashKeeper, EnCase .hash, The Sleuth Kit's .idx and Autopsy's
.kdb are told from their content. These, and plain lists of digests over 8 MiB, become
digest sets: files of their own that take no memory. --set and --entries say it for a plain list.
An import of a set that was stopped goes on where it was when the command is run again.

Into a selectors collection go lists of selectors, one a line: KIND:VALUE (phone, email,
url, user, onion, wallet, document), or the value alone where it can be of one kind only or
--format says the kind; then a comma and a note. Values with commas are in double quotes.
Phone numbers without a country code are of the collection's country. Lines that cannot be
read are left out and reported with their number and the reason.

--format vpdq (frame,quality,hash,seconds a line), vpdq-json (as the Python package
threatexchange writes it) and tmk (263,344 bytes) read the signal of one video instead.`,
		Args: exactly(2, "the collection's name and a file"), RunE: func(cmd *cobra.Command, args []string) error {
			o.collection, o.path = args[0], args[1]
			return e.importFile(cmd.Context(), o)
		}}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "plain, md5, sha1, sha256, pdq, phash, dhash, ahash, photodna; nsrl, hashkeeper, encase, tsk-idx, kdb; vpdq, vpdq-json, tmk for one video; phone, email, url, user, onion, wallet, document for selectors")
	f.BoolVar(&o.set, "set", false, "make a digest set of a plain list, however small it is")
	f.BoolVar(&o.entries, "entries", false, "keep the lines of a plain list as entries, however large it is")
	return cmd
}

// setBytes is from what size on a plain list of digests becomes a set: some 200,000
// SHA-1, which as entries take ten seconds and 50 MB.
const setBytes = 8 << 20

func (e *env) importFile(ctx context.Context, o importOrder) error {
	if slices.Contains(videoForms, semblance.VideoForm(o.format)) {
		return e.stored(ctx, func(p *program) error { return e.importVideo(ctx, p, o) })
	}
	format, def, err := o.formats()
	if err != nil {
		return err
	}
	return e.stored(ctx, func(p *program) error {
		c, err := p.engine.Collections.Collection(ctx, o.collection)
		if err != nil {
			return err
		}
		if c.Kind == semblance.Selectors {
			if o.set {
				return semblance.Errorf(semblance.Invalid, "a digest set cannot be made of selectors")
			}
			return e.importList(ctx, p, o.collection, o.path, def)
		}
		def := c.BareDigits(def)
		set, err := e.asSet(o, format, def)
		if err != nil {
			return err
		}
		if set {
			return e.importSet(ctx, p, o, format, def)
		}
		return e.importList(ctx, p, o.collection, o.path, def)
	})
}

// formats divides what --format says: the format of a file, and what bare digits are.
func (o importOrder) formats() (exchange.Format, hashing.Algorithm, error) {
	if o.set && o.entries {
		return "", "", semblance.Errorf(semblance.Invalid, "--set and --entries cannot both be")
	}
	if format := exchange.Format(o.format); o.format == "" || slices.Contains(exchange.Formats(), format) {
		return format, "", nil
	}
	def, err := semblance.ParseListFormat(o.format)
	if err != nil {
		return "", "", semblance.Errorf(semblance.Invalid, "%q is no format of a list of hashes", o.format).
			WithHint("Formats are plain lists (md5, sha1, sha256, pdq, phash, dhash, ahash, photodna), nsrl, hashkeeper, encase, tsk-idx, kdb, and vpdq, vpdq-json and tmk of one video; of selectors phone, email, url, user, onion, wallet and document.")
	}
	return exchange.Plain, def, nil
}

// asSet decides whether a digest set is made of the file.
func (e *env) asSet(o importOrder, format exchange.Format, def hashing.Algorithm) (bool, error) {
	if o.path == "-" {
		if o.set || format != "" && format != exchange.Plain {
			return false, semblance.Errorf(semblance.Invalid, "standard input is imported as a plain list of entries only").
				WithHint("Copy it into a file first: the import of a set goes on within it when it was stopped.")
		}
		return false, nil
	}
	f, err := e.open(o.path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	look, err := exchange.Glance(f.Name(), def)
	if err != nil {
		return false, err
	}
	if format == "" {
		format = look.Format
	}
	switch {
	case format != exchange.Plain && o.entries:
		return false, semblance.Errorf(semblance.Invalid, "a list of the format %s becomes a digest set, not entries", string(format))
	case format != exchange.Plain, o.set:
		return true, nil
	case o.entries, def != "" && !def.IsDigest(), !look.Digests, look.Bytes < setBytes:
		return false, nil
	}
	e.note("%s: a digest set is made of it, because it is large (--entries keeps the lines as entries)", filepath.Base(o.path))
	return true, nil
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
	if res.Added > 0 {
		e.changed(ctx, p, name)
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

func (e *env) importSet(ctx context.Context, p *program, o importOrder, format exchange.Format, def hashing.Algorithm) error {
	src, err := exchange.Open(ctx, e.path(o.path), format, def)
	if err != nil {
		return err
	}
	defer src.Close()
	if c, err := p.engine.Collections.Collection(ctx, o.collection); err == nil {
		about, _ := src.Describe()
		if u, err := p.sets.Unfinished(c.ID); err == nil && u != nil && u.Of(about) {
			e.note("an import of %s that was stopped after %s is gone on with", u.Set.Sources[0].Name, count(u.Rows, "row", "rows"))
		}
	}
	view := newSetView(e)
	s, err := p.engine.ImportSet(ctx, e.who(), o.collection, src, view.progress)
	view.done()
	if err != nil {
		return err
	}
	e.changed(ctx, p, o.collection)
	if e.json {
		err = e.emit(s)
	} else {
		e.sayImported(p, o.collection, s)
	}
	if err == nil && s.Counts.Bad > 0 {
		err = errSomeFailed
	}
	return err
}

// sayImported tells what became of a list.
func (e *env) sayImported(p *program, collection string, s semblance.DigestSet) {
	c, unit := s.Counts, s.Sources[0].Unit
	e.say("%s: set %s of %s (%s): %s", collection, s.ID.Short(), printable(s.Name), s.Sources[0].Format, digestsOf(s))
	e.say("  %s read; %s repeated, %s of nothing (empty file, all zeros) dropped, %s empty, %s left out",
		count(c.Rows, "row", "rows"), thousands(c.Duplicate), thousands(c.Trivial), thousands(c.Blank), thousands(c.Bad))
	if c.Sizes > 0 {
		e.say("  CONTRADICTORY: the rows of %s state several sizes, of which none is kept", count(c.Sizes, "digest", "digests"))
	}
	if c.Texts > 0 {
		e.say("  the rows of %s state more notes than are kept; a hit says so", count(c.Texts, "digest", "digests"))
	}
	if c.LostTexts {
		e.say("  there are more different notes than a set keeps: of later ones only the %s is told", unit)
	}
	if c.Bad > 0 {
		e.note("what was left out is in %s, a line each with the %s and the reason", p.sets.QuarantineFile(s.ID), unit)
	}
}
