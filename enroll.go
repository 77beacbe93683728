package semblance

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"semblance/hashing"
)

// CreateCase stores a new case. Number, agency, country, purpose and basis are
// needed: every search is answered for with them.
func (e *Engine) CreateCase(ctx context.Context, who Actor, c Case) (Case, error) {
	if err := required("case", "number", c.Number, "agency", c.Agency, "country", c.Country, "purpose", c.Purpose, "basis", c.Basis); err != nil {
		return Case{}, err
	}
	if err := checkCountry(&c.Country); err != nil {
		return Case{}, err
	}
	c.ID, c.Created = CaseID(NewID()), e.now()
	return e.Cases.CreateCase(ctx, c, e.event(who, "case.create", &c))
}

// required checks pairs of a field's name and its value.
func required(noun string, pairs ...string) error {
	var missing []string
	for i := 0; i < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" {
			missing = append(missing, pairs[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return Errorf(Invalid, "a %s needs %s", noun, strings.Join(missing, ", ")).
		WithHint("Give %s; it is kept in the audit chain with every use.", strings.Join(missing, ", "))
}

var (
	countryCode    = regexp.MustCompile(`^[A-Z]{2}$`)
	collectionName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._+-]{0,99}$`)
	reviewDate     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

func checkCountry(c *string) error {
	*c = strings.ToUpper(strings.TrimSpace(*c))
	if !countryCode.MatchString(*c) {
		return Errorf(Invalid, "country %q is not a two-letter code", *c).WithHint("Use ISO 3166-1 alpha-2, such as NL or DE.")
	}
	return nil
}

// CreateCollection stores a new, empty collection. A faces collection is bound
// to its engine for good; only Reenroll changes it. Zero thresholds are the
// defaults.
func (e *Engine) CreateCollection(ctx context.Context, who Actor, c Collection) (Collection, error) {
	if err := required("collection", "name", c.Name, "kind", string(c.Kind), "owner", c.Owner, "country", c.Country, "basis", c.Basis); err != nil {
		return Collection{}, err
	}
	if err := checkCountry(&c.Country); err != nil {
		return Collection{}, err
	}
	if !collectionName.MatchString(c.Name) {
		return Collection{}, Errorf(Invalid, "%q is not a collection name", c.Name).
			WithHint("Use up to 100 letters, digits, spaces and . _ + -, beginning with a letter or digit.")
	}
	if c.Review != "" && !reviewDate.MatchString(c.Review) {
		return Collection{}, Errorf(Invalid, "review date %q is not a date", c.Review).WithHint("Write it as 2027-01-31.")
	}
	if err := thresholds(&c); err != nil {
		return Collection{}, err
	}
	c.ID, c.Created, c.Version, c.Subjects, c.Entries = CollectionID(NewID()), e.now(), 1, 0, 0
	ev := e.event(who, "collection.create", nil, c.Name)
	ev.Basis, ev.Detail["kind"] = c.Basis, c.Kind
	return e.Collections.CreateCollection(ctx, c, ev)
}

func thresholds(c *Collection) error {
	switch c.Kind {
	case Faces:
		spec, err := EngineByName(c.Engine)
		if err != nil {
			return err
		}
		c.Engine, c.EngineVersion = spec.Name, spec.Version
		if c.FaceDistance == 0 {
			c.FaceDistance = spec.Distance
		}
		if c.FaceDistance < 0 || c.FaceDistance > 2 {
			return Errorf(Invalid, "face distance %g is outside 0 to 2", c.FaceDistance)
		}
	case Hashes, KnownGood:
		if c.Engine != "" || c.FaceDistance != 0 {
			return Errorf(Invalid, "a %s collection has no face engine or face distance", c.Kind)
		}
		if c.PDQDistance == 0 {
			c.PDQDistance = DefaultPDQDistance
		}
		if c.PDQQuality == 0 {
			c.PDQQuality = DefaultPDQQuality
		}
		if c.HashDistance == 0 {
			c.HashDistance = DefaultHashDistance
		}
		if c.PDQDistance < 0 || c.PDQDistance > MaxPDQDistance {
			return Errorf(Invalid, "PDQ distance %d is outside 0 to %d", c.PDQDistance, MaxPDQDistance).
				WithHint("The reference threshold is %d; unrelated pictures are about 128 apart.", DefaultPDQDistance)
		}
		if c.PDQQuality < 0 || c.PDQQuality > 100 || c.HashDistance < 0 || c.HashDistance > 15 {
			return Errorf(Invalid, "PDQ quality is 0 to 100 and the distance of 64-bit hashes 0 to 15")
		}
	case Selectors:
		return Errorf(Invalid, "this version keeps no selectors").WithHint("Kinds are faces, hashes and known-good.")
	default:
		return Errorf(Invalid, "%q is not a kind of collection", c.Kind).WithHint("Kinds are faces, hashes and known-good.")
	}
	return nil
}

// DeleteCollection removes a collection with everything derived from it and
// proves it by counting.
func (e *Engine) DeleteCollection(ctx context.Context, who Actor, name string) (Erasure, error) {
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return Erasure{}, err
	}
	gone, err := e.Collections.DeleteCollection(ctx, name, e.event(who, "collection.delete", nil, name))
	if err != nil {
		return gone, err
	}
	if c.Kind == Faces {
		err = e.Vectors.Drop(ctx, c.ID)
	} else {
		err = e.Hashes.Drop(ctx, c.ID)
	}
	for _, sum := range gone.Objects {
		err = errors.Join(err, e.Objects.Delete(ctx, sum))
	}
	if err != nil {
		return gone, fmt.Errorf("collection %q is gone from the store, but not all that was derived from it: %w", name, err)
	}
	return gone, nil
}

// An EnrollRequest adds one image of one subject to a faces collection.
type EnrollRequest struct {
	Collection string
	Subject    string
	Source     string // file name, for people
	Face       *int   // which face, where the picture has several
	Force      bool   // enroll although the quality is too poor; audited
	File       *os.File
}

// Enroll adds a reference. The picture has exactly one face, or Face says which
// (FaceCount otherwise), and is kept for enrolling again with another engine.
// Enrolling the same picture of the same subject again changes nothing; added
// tells.
func (e *Engine) Enroll(ctx context.Context, who Actor, r EnrollRequest) (ref Reference, added bool, err error) {
	if err := required("reference", "collection", r.Collection, "subject", r.Subject); err != nil {
		return ref, false, err
	}
	c, err := e.Collections.Collection(ctx, r.Collection)
	if err != nil {
		return ref, false, err
	}
	if c.Kind != Faces {
		return ref, false, Errorf(Invalid, "collection %q holds %s; subjects are enrolled in a faces collection", c.Name, c.Kind)
	}
	spec, err := e.usable(ctx, c)
	if err != nil {
		return ref, false, err
	}
	ref, err = e.reference(ctx, c, spec, r)
	if err != nil {
		return ref, false, err
	}
	if _, err := r.File.Seek(0, io.SeekStart); err != nil {
		return ref, false, fmt.Errorf("read %s again: %w", r.Source, err)
	}
	if err := e.Objects.Put(ctx, ref.SHA256, r.File); err != nil {
		return ref, false, err
	}
	ev := e.event(who, "collection.enroll", nil, c.Name)
	ev.Basis = c.Basis
	ev.Detail["subject"], ev.Detail["sha256"], ev.Detail["engine"], ev.Detail["quality"], ev.Detail["forced"] = ref.Subject, ref.SHA256, spec.Signal(), ref.Face.Quality, r.Force
	n, err := e.References.AddReferences(ctx, c.ID, []Reference{ref}, ev)
	if err != nil {
		return ref, false, err
	}
	return ref, n > 0, e.follow(ctx, c, func(version int64) error {
		return e.Vectors.Update(ctx, spec, c.ID, version, VectorChange{Add: []VectorEntry{vectorOf(ref)}})
	}, func() (int64, error) { return e.Vectors.Version(ctx, spec, c.ID) })
}

// follow adds to an index what was just stored, when the index stood where the
// collection stood before. Otherwise it is brought up when it is next used.
func (e *Engine) follow(ctx context.Context, before Collection, add func(version int64) error, held func() (int64, error)) error {
	e.sync.Lock()
	defer e.sync.Unlock()
	v, err := held()
	if err != nil || v != before.Version {
		return err
	}
	after, err := e.Collections.Collection(ctx, before.Name)
	if err != nil {
		return err
	}
	if after.Version == before.Version+1 {
		return add(after.Version)
	}
	return nil
}

// reference analyzes a picture and makes a reference of its face.
func (e *Engine) reference(ctx context.Context, c Collection, spec EngineSpec, r EnrollRequest) (Reference, error) {
	d, a, err := e.Signals(ctx, r.File, AnalyzeRequest{Engines: []EngineName{spec.Name}, Crops: true})
	if err != nil {
		return Reference{}, err
	}
	set, ran := a.Faces(spec.Name)
	if !ran {
		return Reference{}, Errorf(Internal, "engine %s did not run", spec.Name)
	}
	i, err := chooseFace(set.Faces, r.Face)
	if err != nil {
		return Reference{}, err
	}
	f := set.Faces[i]
	if len(f.Embedding) == 0 || !r.Force && !f.Searchable() {
		return Reference{}, Errorf(Invalid, "the face is too poor to enroll: quality %.0f of 100, %d is needed (%s)", f.Quality, MinSearchableQuality, strings.Join(f.Reasons, "; ")).
			WithHint("Use a better picture of the person, or --force to enroll it all the same; that is noted in the audit chain.")
	}
	sum := sha256.Sum256([]byte(c.Name + "\x00" + r.Subject + "\x00" + hex.EncodeToString(d.SHA256[:]) + "\x00" + strconv.Itoa(i)))
	ref := Reference{ID: ReferenceID(hex.EncodeToString(sum[:16])), Collection: c.ID, Subject: r.Subject, Source: r.Source, SHA256: d.SHA256,
		Type: a.Type, Face: f, Crop: f.Crop, Engine: spec.Name, Version: spec.Version, Decoder: a.Decoder, Created: e.now()}
	ref.Face.Crop = nil
	return ref, nil
}

// chooseFace returns the index of the face meant. FaceCount says how many there
// are when that is not clear.
func chooseFace(faces []Face, which *int) (int, error) {
	switch n := len(faces); {
	case n == 0:
		return 0, Errorf(FaceCount, "no face was found").WithHint("Use a picture with a clear face of at least 40 pixels.")
	case which != nil && (*which < 0 || *which >= n):
		return 0, Errorf(FaceCount, "there is no face %d: the picture has %d, numbered from 0", *which, n)
	case which != nil:
		return *which, nil
	case n > 1:
		return 0, Errorf(FaceCount, "%d faces were found, and it is not said which is meant", n).
			WithHint("Choose one with --face N, numbered from 0 by detector score; `semblance faces` lists them.")
	}
	return 0, nil
}

// AddMedia hashes a file into a hashes or known-good collection: its three
// digests, and for hashes PDQ and the further algorithms asked for of every frame
// looked at. A file that is no picture gives its digests; warning says so.
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

// perceptual makes the entries of a picture's perceptual hashes.
func (e *Engine) perceptual(ctx context.Context, f *os.File, entry func(hashing.Algorithm, []byte) HashEntry, extra []hashing.Algorithm) ([]HashEntry, string, error) {
	a, err := e.analyzeOnly(ctx, f, AnalyzeRequest{Hashes: append([]hashing.Algorithm{hashing.AlgorithmPDQ}, extra...)})
	switch CodeOf(err) {
	case "":
	case MediaUnsupported, MediaDamaged, MediaTooLarge, Timeout:
		return nil, "digests only, no perceptual hash: " + err.Error(), nil
	default:
		return nil, "", err
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
			} else {
				add(fr, alg, fr.hash64(alg).Bytes())
			}
		}
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

// importBatch is how many entries one transaction holds: enough that the commit
// does not dominate, few enough that an interruption loses little.
const importBatch = 10_000

// ImportHashes reads a plain list, one hash a line (see hashing.ParseHashLine).
// def says what 64 or 16 bare digits are. Bad lines are left out and reported;
// what was read before an error stays.
func (e *Engine) ImportHashes(ctx context.Context, who Actor, collection, source string, def hashing.Algorithm, r io.Reader) (ImportResult, error) {
	var res ImportResult
	c, err := e.Collections.Collection(ctx, collection)
	if err != nil {
		return res, err
	}
	if c.Kind != Hashes && c.Kind != KnownGood {
		return res, Errorf(Invalid, "collection %q holds %s; a list of hashes goes into a hashes or known-good collection", c.Name, c.Kind)
	}
	var batch []HashEntry
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		ev := e.event(who, "collection.import", nil, c.Name)
		ev.Basis, ev.Detail["source"], ev.Detail["through_line"] = c.Basis, source, res.Lines
		n, err := e.Entries.AddEntries(ctx, c.ID, batch, ev)
		res.Added += n
		res.Duplicate += len(batch) - n
		batch = batch[:0]
		return err
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		res.Lines++
		entry, err := importLine(c, lines.Text(), def)
		switch {
		case errors.Is(err, hashing.ErrBlank):
			res.Blank++
			continue
		case err != nil:
			res.bad(lines.Text(), err)
			continue
		case hashing.IsTrivial(entry.Algorithm, entry.Value):
			res.Trivial++
			continue
		}
		entry.Source, entry.Record = source, "line "+strconv.Itoa(res.Lines)
		if batch = append(batch, entry); len(batch) == importBatch {
			if err := flush(); err != nil {
				return res, err
			}
		}
	}
	if err := flush(); err != nil {
		return res, err
	}
	if err := lines.Err(); err != nil {
		return res, Errorf(Invalid, "the list could not be read past line %d: %v", res.Lines, err).
			WithHint("The lines before are imported; mend the list and import it again.")
	}
	return res, nil
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

var noteSize = regexp.MustCompile(`(?:^|[,; ])size=(\d{1,18})(?:$|[,; ])`)

// importLine parses one line. A note with size=N gives the file's size.
func importLine(c Collection, line string, def hashing.Algorithm) (HashEntry, error) {
	alg, value, note, err := hashing.ParseHashLine(line, def)
	if err != nil {
		return HashEntry{}, err
	}
	h := HashEntry{Collection: c.ID, Algorithm: alg, Value: value, Quality: -1, Note: note}
	if c.Kind == KnownGood && !alg.IsDigest() {
		return h, fmt.Errorf("a known-good collection takes digests only, not %s: a picture that looks like a harmless one need not be it", alg)
	}
	if m := noteSize.FindStringSubmatch(note); m != nil {
		h.Size, _ = strconv.ParseInt(m[1], 10, 64)
	}
	return h, nil
}

// A ReenrollResult tells what became of the references.
type ReenrollResult struct {
	References int       `json:"references"`
	Failed     []BadLine `json:"failed,omitempty"` // Line counts references
}

// Reenroll makes the references of a faces collection again with another engine,
// from the kept originals, and switches in one transaction. When a reference
// fails, nothing is changed and the error says how many and why.
func (e *Engine) Reenroll(ctx context.Context, who Actor, name string, engine EngineName) (ReenrollResult, error) {
	var res ReenrollResult
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return res, err
	}
	if c.Kind != Faces {
		return res, Errorf(Invalid, "collection %q holds %s; only faces have an engine", c.Name, c.Kind)
	}
	spec, err := EngineByName(engine)
	if err != nil {
		return res, err
	}
	if err := e.CheckEngine(ctx, spec.Name); err != nil {
		return res, err
	}
	var refs []Reference
	err = e.References.EachReference(ctx, c.ID, func(old Reference) error {
		res.References++
		ref, err := e.again(ctx, spec, old)
		if err != nil {
			if CodeOf(err) == Internal || ctx.Err() != nil {
				return err
			}
			res.Failed = append(res.Failed, BadLine{Line: res.References, Text: old.Subject + ": " + old.Source, Reason: err.Error()})
			return nil
		}
		refs = append(refs, ref)
		return nil
	})
	if err != nil {
		return res, err
	}
	if n := len(res.Failed); n > 0 {
		return res, Errorf(Invalid, "%d of %d references cannot be enrolled with engine %s (the first: %s: %s); nothing was changed",
			n, res.References, spec.Name, res.Failed[0].Text, res.Failed[0].Reason).
			WithHint("Keep the present engine, or make a new collection with the other one.")
	}
	from := c.Engine
	c.Engine, c.EngineVersion, c.FaceDistance = spec.Name, spec.Version, spec.Distance
	ev := e.event(who, "collection.reenroll", nil, c.Name)
	ev.Basis, ev.Detail["from"], ev.Detail["to"], ev.Detail["references"] = c.Basis, from, spec.Signal(), len(refs)
	if err := e.References.ReplaceReferences(ctx, c, refs, ev); err != nil {
		return res, err
	}
	return res, e.Vectors.Drop(ctx, c.ID)
}

// again makes a reference anew from its original: the face that overlaps the old
// one most.
func (e *Engine) again(ctx context.Context, spec EngineSpec, old Reference) (Reference, error) {
	f, done, err := e.openObject(ctx, old.SHA256)
	if err != nil {
		return Reference{}, err
	}
	defer done()
	a, err := e.analyzeOnly(ctx, f, AnalyzeRequest{Engines: []EngineName{spec.Name}, Crops: true})
	if err != nil {
		return Reference{}, err
	}
	set, _ := a.Faces(spec.Name)
	best, overlap := -1, 0.3
	for i, x := range set.Faces {
		if o := old.Face.Box.Overlap(x.Box); o > overlap && len(x.Embedding) > 0 {
			best, overlap = i, o
		}
	}
	if best < 0 {
		return Reference{}, Errorf(FaceCount, "engine %s finds no face where the enrolled one was", spec.Name)
	}
	ref := old
	ref.Face, ref.Crop = set.Faces[best], set.Faces[best].Crop
	ref.Face.Crop = nil
	ref.Engine, ref.Version, ref.Decoder = spec.Name, spec.Version, a.Decoder
	return ref, nil
}

// Overlap returns intersection over union, 0 to 1.
func (b Box) Overlap(o Box) float64 {
	w := min(b.X+b.W, o.X+o.W) - max(b.X, o.X)
	h := min(b.Y+b.H, o.Y+o.H) - max(b.Y, o.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	inter := float64(w) * float64(h)
	return inter / (float64(b.W)*float64(b.H) + float64(o.W)*float64(o.H) - inter)
}

// openObject opens an original as a file that can be handed to a worker.
func (e *Engine) openObject(ctx context.Context, sum SHA256) (*os.File, func(), error) {
	o, err := e.Objects.Open(ctx, sum)
	if err != nil {
		return nil, nil, err
	}
	if f, ok := o.(*os.File); ok {
		return f, func() { f.Close() }, nil
	}
	defer o.Close()
	f, err := os.CreateTemp("", "semblance-object-*")
	if err != nil {
		return nil, nil, err
	}
	done := func() { f.Close(); os.Remove(f.Name()) }
	if _, err := io.Copy(f, o); err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}
