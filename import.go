package semblance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"semblance/hashing"
)

// AddMedia hashes a file into a hashes or known-good collection: its three
// digests, and for hashes PDQ and the further algorithms asked for of every frame
// looked at of a picture, vPDQ and the further ones of a video. A file that is neither
// gives its digests; warning says so.
func (e *Engine) AddMedia(ctx context.Context, who Actor, collection, source string, f *os.File, extra ...hashing.Algorithm) (added int, warning string, err error) {
	c, err := e.Collections.Collection(ctx, collection)
	if err != nil {
		return 0, "", err
	}
	if c.Kind != Hashes && c.Kind != KnownGood {
		return 0, "", Errorf(Invalid, "collection %q holds %s; media are hashed into a hashes or known-good collection", c.Name, c.Kind)
	}
	d, err := e.digest(ctx, f)
	if err != nil {
		return 0, "", err
	}
	if d.Size == 0 {
		return 0, "", Errorf(Invalid, "the file is empty; its digests would hit every empty file")
	}
	sum := SHA256(d.SHA256)
	entry := func(alg hashing.Algorithm, value []byte) HashEntry {
		return HashEntry{Collection: c.ID, Algorithm: alg, Value: value, Size: d.Size, Quality: -1, Source: source, Record: sum.String()}
	}
	var entries []HashEntry
	for _, alg := range digestOrder {
		entries = append(entries, entry(alg, d.Value(alg)))
	}
	if c.Kind == Hashes {
		var more []HashEntry
		if more, warning, err = e.perceptual(ctx, f, entry, extra); err != nil {
			return 0, "", err
		}
		entries = append(entries, more...)
	}
	ev := e.event(who, "collection.add", nil, c.Name)
	ev.Basis, ev.Detail["sha256"], ev.Detail["source"] = c.Basis, sum, source
	added, err = e.addEntries(ctx, c, entries, ev)
	return added, warning, err
}

// perceptual makes the entries of a picture's perceptual hashes, or of a video's.
func (e *Engine) perceptual(ctx context.Context, f *os.File, entry func(hashing.Algorithm, []byte) HashEntry, extra []hashing.Algorithm) ([]HashEntry, string, error) {
	var req AnalyzeRequest
	req.Hashes, req.Videos = videoSignals(extra)
	providers, err := e.providers(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, p := range providers {
		if p.Algorithm != "" {
			req.Providers = append(req.Providers, p.Name)
		}
	}
	a, err := e.analyzeOnly(ctx, f, req)
	switch CodeOf(err) {
	case "":
	case MediaUnsupported, MediaDamaged, MediaTooLarge, Timeout:
		return nil, "digests only, no perceptual hash: " + err.Error(), nil
	default:
		return nil, "", err
	}
	if a.IsVideo() {
		return videoEntries(&a, entry)
	}
	if a.IsSound() {
		return nil, "digests only, no perceptual hash: the file is sound (" + a.Type + ")", nil
	}
	var out []HashEntry
	add := func(fr *FrameHashes, alg hashing.Algorithm, value []byte) {
		h := entry(alg, value)
		h.Size, h.Quality, h.Decoder = 0, fr.PDQ.Quality, a.Decoder
		out = append(out, h)
	}
	warning := ""
	for i := range a.Hashes {
		fr := &a.Hashes[i]
		if fr.PDQ.Quality < hashing.PDQMinQuality {
			warning = fmt.Sprintf("nearly featureless (PDQ quality %d): it is kept, and not compared by collections with a minimum above that", fr.PDQ.Quality)
		}
		for _, alg := range fr.algorithms() {
			if alg == hashing.AlgorithmPDQ {
				add(fr, alg, slices.Clone(fr.PDQ.Hash[:]))
			} else if !alg.IsSupplied() {
				add(fr, alg, fr.hash64(alg).Bytes())
			}
		}
	}
	for _, fr := range a.Hashes {
		for _, s := range fr.Supplied {
			h := entry(s.Algorithm, s.Value)
			h.Size, h.Decoder = 0, "provider "+string(s.Provider)+" "+s.Version+", "+a.Decoder
			out = append(out, h)
		}
	}
	if r, failed := a.failedRun(); failed {
		warning = "without what provider " + string(r.Provider) + " " + r.Version + " gives: " + r.Failed
	}
	return out, warning, nil
}

func (e *Engine) addEntries(ctx context.Context, c Collection, entries []HashEntry, ev AuditEvent) (int, error) {
	entries = slices.DeleteFunc(entries, func(h HashEntry) bool { return hashing.IsTrivial(h.Algorithm, h.Value) })
	return e.Entries.AddEntries(ctx, c.ID, entries, ev)
}

// A BadLine is a line of a list that was left out, with the reason.
type BadLine struct {
	Line   int    `json:"line"` // from 1
	Text   string `json:"text"` // the first characters
	Reason string `json:"reason"`
}

// An ImportResult counts what became of a list's lines.
type ImportResult struct {
	Lines     int       `json:"lines"`
	Added     int       `json:"added"`
	Duplicate int       `json:"duplicate"`           // there already
	Blank     int       `json:"blank"`               // empty lines and comments
	Trivial   int       `json:"trivial"`             // digests of nothing, all zeros, all ones: dropped
	Bad       int       `json:"bad"`                 // left out
	BadLines  []BadLine `json:"bad_lines,omitempty"` // the first thousand of them
}

// BareDigits is what 64 bare digits of a list are, where def is what it is said to hold. In
// a known-good collection, which takes digests only, they cannot be anything but SHA-256;
// elsewhere it has to be said.
func (c *Collection) BareDigits(def hashing.Algorithm) hashing.Algorithm {
	if def == "" && c.Kind == KnownGood {
		return hashing.AlgorithmSHA256
	}
	return def
}

// ErrUnstated is the error (Invalid) of a list that has digits of several possible
// algorithms in a line and does not say of which.
func ErrUnstated(line int64, err *hashing.SyntaxError) error {
	return Errorf(Invalid, "line %d of the list: %s", line, err.Msg).
		WithHint("Say with --format, or format in the query, what such lines are: sha256, pdq, phash, dhash or ahash. It is not guessed: the wrong one would find nothing.")
}

// ImportHashes reads a plain list, one hash a line (see hashing.ParseHashLine), or into a
// selectors collection one selector a line.
// def says what 64 or 16 bare digits, or selectors without their kind, are; without it the first of them ends the import with Invalid. Bad lines are left out and reported;
// what was stored before an error stays. Entries of a list of more than 50,000 lines are
// numbered in the order of their values, a million at a time.
func (e *Engine) ImportHashes(ctx context.Context, who Actor, collection, source string, def hashing.Algorithm, r io.Reader) (ImportResult, error) {
	var res ImportResult
	c, err := e.Collections.Collection(ctx, collection)
	if err != nil {
		return res, err
	}
	parse := importLine
	switch _, selectors := SelectorKind(def); {
	case c.Kind == Faces:
		return res, Errorf(Invalid, "collection %q holds %s; a list goes into a hashes, known-good or selectors collection", c.Name, c.Kind)
	case def != "" && selectors != (c.Kind == Selectors):
		return res, Errorf(Invalid, "collection %q holds %s, and no list of %s", c.Name, c.Kind, def)
	case c.Kind == Selectors:
		parse = selectorEntry
	}
	run := importRun{source: source, collection: &c, parse: parse, give: func(batch []HashEntry) error {
		ev := e.event(who, "collection.import", nil, c.Name)
		ev.Basis, ev.Detail["source"], ev.Detail["through_line"] = c.Basis, source, res.Lines
		n, err := e.Entries.AddEntries(ctx, c.ID, batch, ev)
		res.Added += n
		res.Duplicate += len(batch) - n
		return err
	}}
	return res, res.read(ctx, &run, c.BareDigits(def), r)
}

// read goes through the lines of a list and counts them.
func (res *ImportResult) read(ctx context.Context, run *importRun, def hashing.Algorithm, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() && ctx.Err() == nil {
		res.Lines++
		l, err := run.parse(run.collection, lines.Text(), def)
		if ask := unstated(res.Lines, def, err); ask != nil {
			return ask
		}
		l.line = res.Lines
		switch {
		case errors.Is(err, hashing.ErrBlank):
			res.Blank++
		case err != nil:
			res.bad(lines.Text(), err)
		case hashing.IsTrivial(l.algorithm, l.value):
			res.Trivial++
		default:
			if err := run.add(l); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := run.flush(); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return Errorf(Invalid, "the list could not be read past line %d: %v", res.Lines, err).
			WithHint("The lines before are imported; mend the list and import it again.")
	}
	return nil
}

func (r *ImportResult) bad(text string, err error) {
	r.Bad++
	if len(r.BadLines) < 1000 {
		if len(text) > 80 {
			text = strings.ToValidUTF8(text[:80], "") + "…"
		}
		r.BadLines = append(r.BadLines, BadLine{Line: r.Lines, Text: text, Reason: err.Error()})
	}
}

var noteCategory = regexp.MustCompile(`(?:^|[,; ])category=([^,;\s]{1,64})(?:$|[,; ])`)

var noteSize = regexp.MustCompile(`(?:^|[,; ])size=(\d{1,18})(?:$|[,; ])`)

// importLine parses one line of a list of hashes.
func importLine(c *Collection, line string, def hashing.Algorithm) (parsedLine, error) {
	alg, value, note, err := hashing.ParseHashLine(line, def)
	if err == nil && c.Kind == KnownGood && !alg.IsDigest() {
		err = fmt.Errorf("a known-good collection takes digests only, not %s: a picture that looks like a harmless one need not be it", alg)
	}
	return parsedLine{algorithm: alg, value: value, note: note}, err
}

// categoryIn is the category that a note gives, empty when it gives none.
func categoryIn(note string) string {
	if m := noteCategory.FindStringSubmatch(note); m != nil {
		return m[1]
	}
	return ""
}
