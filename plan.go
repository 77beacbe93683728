package semblance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"semblance/hashing"
	"semblance/selector"
)

// A Plan is what the media of an exhibit are compared with and how. It holds the
// collections as they were when it was made; two plans with the same Fingerprint
// give the same findings.
type Plan struct {
	Case        Case
	Collections []Collection // by name
	Engines     []EngineSpec // of the faces collections
	Hashes      []hashing.Algorithm
	Providers   []ProviderSpec      // that are asked about every picture
	Videos      []hashing.Algorithm // signals that are made of videos; none: videos are not examined
	Thumbnail   int
	Crops       bool
	Top         int // candidates kept of a face
	Limits      Limits
	Fingerprint string
	Documents   bool     // document numbers are looked for: a collection holds some
	Warnings    []string // what is not compared with, and why
	Detection

	pictures []EngineName // of providers, which are asked about pictures and not about videos
}

// PlanOptions are what a caller may choose about a plan.
type PlanOptions struct {
	Collections []string
	Inventory   bool // no collection is named, and that is meant: media are recorded, and compared with nothing
	Top         int  // candidates kept of a face; 0 is 20
	Crops       bool
	Thumbnail   int
	Video       VideoMode
	Detection
}

// A VideoMode says what a plan makes of videos, besides the signals that a collection
// asks for by having entries of them.
type VideoMode string

// The modes. The zero value is VideoSeconds.
const (
	VideoSeconds   VideoMode = "seconds"   // a frame a second is compared: every frame is decoded
	VideoKeyframes VideoMode = "keyframes" // only keyframes: many times faster, and clips between two are missed
	VideoNone      VideoMode = "none"      // videos are hashed as files and counted as unsupported
)

// signals returns what a mode makes.
func (m VideoMode) signals() ([]hashing.Algorithm, error) {
	switch m {
	case "", VideoSeconds:
		return []hashing.Algorithm{hashing.AlgorithmVPDQ, hashing.AlgorithmVPDQUpright, hashing.AlgorithmVPDQMirrored}, nil
	case VideoKeyframes:
		return []hashing.Algorithm{hashing.AlgorithmVPDQKeyframes}, nil
	case VideoNone:
		return nil, nil
	}
	return nil, Errorf(Invalid, "videos are examined by %q, %q or %q, not by %q", VideoSeconds, VideoKeyframes, VideoNone, string(m))
}

// DefaultTop is how many candidates a face search lists.
const DefaultTop = 20

// Plan resolves what to compare with, checks that every engine needed works here
// and brings the indexes up to date, so that a scan fails before its first file
// and not at its first face.
func (e *Engine) Plan(ctx context.Context, caseNumber string, o PlanOptions) (*Plan, error) {
	if err := o.Detection.Validate(); err != nil {
		return nil, err
	}
	c, err := e.Cases.Case(ctx, caseNumber)
	if err != nil {
		return nil, err
	}
	var cols []Collection
	if !o.Inventory || len(o.Collections) > 0 {
		if cols, err = e.resolve(ctx, o.Collections); err != nil {
			return nil, err
		}
	}
	cols, notes, err := e.switchedOn(cols)
	if err != nil {
		return nil, err
	}
	p := &Plan{Case: c, Collections: cols, Warnings: append(notes, leftOutOf(cols)...), Thumbnail: o.Thumbnail, Crops: o.Crops, Top: o.Top, Detection: o.Detection, Limits: e.Limits}
	if p.Top <= 0 {
		p.Top = DefaultTop
	}
	if p.Videos, err = o.Video.signals(); err != nil {
		return nil, err
	}
	if err := e.planSignals(ctx, p); err != nil {
		return nil, err
	}
	if err := e.ready(ctx, cols...); err != nil {
		return nil, err
	}
	p.Fingerprint = p.fingerprint()
	return p, nil
}

// planSignals decides which signals are made: PDQ always (media are stacked and
// looked back at by it), the 64-bit hashes only where a collection holds some,
// faces with the engine of every faces collection.
func (e *Engine) planSignals(ctx context.Context, p *Plan) error {
	p.Hashes = []hashing.Algorithm{hashing.AlgorithmPDQ}
	for _, c := range p.Collections {
		switch c.Kind {
		case Faces:
			spec, err := e.usable(ctx, c)
			if err != nil {
				return err
			}
			if !slices.Contains(p.Engines, spec) {
				p.Engines = append(p.Engines, spec)
			}
			if slices.ContainsFunc(e.Providers.All(), func(x Provider) bool { return x.Spec.Engine == spec.Name }) {
				p.pictures = append(p.pictures, spec.Name)
			}
		case Hashes:
			algs, err := e.Entries.Algorithms(ctx, c.ID)
			if err != nil {
				return err
			}
			for _, a := range algs {
				if a == hashing.AlgorithmTMK && len(p.Videos) > 0 && !slices.Contains(p.Videos, a) {
					p.Videos = append(p.Videos, a)
				}
				if a.IsPerceptual() && !slices.Contains(p.Hashes, a) {
					p.Hashes = append(p.Hashes, a)
				}
			}
		case Selectors:
			algs, err := e.Entries.Algorithms(ctx, c.ID)
			if err != nil {
				return err
			}
			p.Documents = p.Documents || slices.Contains(algs, SelectorAlgorithm(selector.Document))
		}
	}
	var err error
	if p.Providers, err = e.providers(ctx); err != nil {
		return err
	}
	slices.Sort(p.Hashes)
	slices.SortFunc(p.Engines, func(a, b EngineSpec) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return nil
}

// fingerprint digests everything that findings depend on besides the media.
// examined is 1 since containers are opened, and 2 since image sequences and sound are
// looked at.
const examined = 2

func (p *Plan) fingerprint() string {
	cols := slices.Clone(p.Collections)
	for i := range cols {
		cols[i].EnrollQuality = 0 // decides what comes in, not what is found
		cols[i].Off = nil         // one that was off until some day is as if it had never been
		if cols[i].PhotoDNADistance == DefaultPhotoDNADistance {
			cols[i].PhotoDNADistance = 0 // left out, so that older plans are still the same
		}
	}
	b, _ := json.Marshal(struct { // plain data: cannot fail
		C []Collection
		E []EngineSpec
		H []hashing.Algorithm
		T int
		N string
		F int            `json:",omitempty"` // left out as the default, so that older plans are still the same
		S float32        `json:",omitempty"`
		P []ProviderSpec `json:",omitempty"`
		V []hashing.Algorithm
		M int    // what is read of metadata: embedded pictures are compared, too
		X int    // what is made of an item: raised when more is, so that exhibits are gone through again
		R string // rules by which texts are read for selectors
		D bool   `json:",omitempty"`
	}{cols, p.Engines, p.Hashes, p.Top, p.Case.Number, p.MinFace, p.MinScore, p.Providers, p.Videos, MetadataReader, examined, selector.Signal, p.Documents})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// request is what the plan wants made of one file. What an earlier analysis
// already had is asked for again, so that storing the new one loses nothing.
func (p *Plan) request(prior *Media) AnalyzeRequest {
	req := AnalyzeRequest{Hashes: slices.Clone(p.Hashes), Videos: slices.Clone(p.Videos), Crops: p.Crops, Thumbnail: p.Thumbnail, Detection: p.Detection, Limits: p.Limits}
	text := p.selectors()
	req.Selectors = &text
	for _, s := range p.Engines {
		req.Engines = append(req.Engines, s.Name)
	}
	for _, s := range p.Providers {
		req.Providers = append(req.Providers, s.Name)
	}
	if prior == nil || prior.Analysis == nil {
		return req
	}
	for _, s := range prior.Analysis.FaceSets {
		if s.Covers(req.Detection) {
			req.Detection = s.Detection // or the fuller set would give way to a lesser one
		}
		if !slices.Contains(req.Engines, s.Engine) && len(p.Engines) > 0 {
			req.Engines = append(req.Engines, s.Engine)
		}
	}
	for _, s := range prior.Analysis.Signals {
		if !slices.Contains(req.Videos, s.Algorithm) {
			req.Videos = append(req.Videos, s.Algorithm)
		}
	}
	for _, f := range prior.Analysis.Hashes {
		for _, a := range f.algorithms() {
			if !a.IsSupplied() && !slices.Contains(req.Hashes, a) {
				req.Hashes = append(req.Hashes, a)
			}
		}
	}
	return req
}

// algorithms lists what a frame has hashes of, each once.
func (f *FrameHashes) algorithms() []hashing.Algorithm {
	var out []hashing.Algorithm
	if f.PDQ != nil {
		out = append(out, hashing.AlgorithmPDQ)
	}
	for _, a := range []hashing.Algorithm{hashing.AlgorithmPHash, hashing.AlgorithmDHash, hashing.AlgorithmAHash} {
		if f.hash64(a) != nil {
			out = append(out, a)
		}
	}
	for _, h := range f.Supplied {
		if !slices.Contains(out, h.Algorithm) {
			out = append(out, h.Algorithm)
		}
	}
	return out
}

func (f *FrameHashes) hash64(a hashing.Algorithm) *hashing.Hash64 {
	switch a {
	case hashing.AlgorithmPHash:
		return f.PHash
	case hashing.AlgorithmDHash:
		return f.DHash
	case hashing.AlgorithmAHash:
		return f.AHash
	}
	return nil
}

// satisfied reports whether what is known of a media is all that the plan needs.
// Faces looked for with settings that do not cover the plan's are not: some may have
// been missed, or too many let in.
// A failure that says something about the file stands; one that says something
// about this program or machine is tried again.
func (p *Plan) satisfied(m *Media) bool {
	if m == nil {
		return false
	}
	switch m.Code {
	case MediaUnsupported:
		// Versions before this one did not examine videos, and a plan can leave them out.
		// Nor did they read texts.
		if strings.HasPrefix(m.Reason, "this is a video (") || strings.HasPrefix(m.Reason, "this is an image sequence without a primary picture") {
			return len(p.Videos) == 0
		}
		return m.Digests.Size == 0 || strings.HasSuffix(m.Reason, notText)
	case MediaDamaged, MediaTooLarge:
		return true
	case "":
	default:
		return false
	}
	if m.Analysis == nil {
		return false
	}
	if m.Analysis.IsText() {
		return p.readText(m.Analysis)
	}
	if m.Analysis.IsSound() {
		return true
	}
	if !m.Analysis.IsVideo() && m.Analysis.Looked < MetadataReader {
		return false
	}
	for _, s := range p.Engines {
		if m.Analysis.IsVideo() && slices.Contains(p.pictures, s.Name) {
			continue
		}
		// Versions before this one did not look for faces in videos.
		if set, ran := m.Analysis.Faces(s.Name); !ran || set.Version != s.Version || !set.Detection.Covers(p.Detection) {
			return false
		}
	}
	if m.Analysis.IsVideo() {
		return !slices.ContainsFunc(p.Videos, m.Analysis.lacks)
	}
	for _, f := range m.Analysis.Hashes {
		have := f.algorithms()
		for _, a := range p.Hashes {
			if !slices.Contains(have, a) {
				return false
			}
		}
	}
	for _, s := range p.Providers {
		if r, asked := m.Analysis.Run(s.Name); !asked || r.Version != s.Version || r.Failed != "" {
			return false
		}
	}
	for _, x := range m.Analysis.Embedded {
		for _, f := range x.Hashes {
			if have := f.algorithms(); slices.ContainsFunc(p.Hashes, func(a hashing.Algorithm) bool { return !a.IsSupplied() && !slices.Contains(have, a) }) {
				return false
			}
		}
	}
	return len(m.Analysis.Hashes) > 0
}

// heard reports whether what is known of the sound of a media is all that is made today.
// It finds nothing in collections, so that a look-back goes without.
func (p *Plan) heard(m *Media) bool {
	switch {
	case m == nil || len(p.Videos) == 0:
		return true
	case m.Code == MediaUnsupported: // as versions said that did not look at files of sound alone
		return !strings.HasPrefix(m.Reason, "this is not a picture: its content is of type audio/") && !strings.HasPrefix(m.Reason, noVideoIn)
	case m.Analysis == nil || m.Analysis.Metadata.Video == nil:
		return true
	}
	return m.Analysis.Metadata.Video.Sound >= SoundReader
}

// noVideoIn is how the reason began, before sound was looked at, why a file of it was not
// examined.
const noVideoIn = "there is no video in this file ("

// An Examination is what Examine gives.
type Examination struct {
	Status   ItemStatus // ItemNew, ItemKnownGood, ItemUnsupported or ItemFailed
	Media    Media
	Findings Findings
	Decoded  bool // false when the signals were known already or none were needed
	Added    bool // something was added to what was known, without decoding
	Plain    bool // f was looked at, and is no container under its name
}

// Examine makes the signals of one media and compares them with the plan's
// collections. digests are of f's bytes. prior is what the store knows of the
// media, nil for nothing; f may be nil when prior suffices, as for a media that
// was examined before.
//
// name is the base name of f, by which some containers are told; it may be empty.
//
// What is wrong with the file is in the Examination (ItemFailed, ItemUnsupported
// with Media.Code and Reason), and its digests are compared all the same. The
// error is about us, and nothing may be recorded then.
func (e *Engine) Examine(ctx context.Context, p *Plan, digests hashing.Digests, prior *Media, f *os.File, name string) (Examination, error) {
	x := Examination{Status: ItemNew, Media: Media{Digests: digests}}
	if err := e.compareDigests(ctx, p, digests, &x.Findings); err != nil {
		return x, err
	}
	if len(x.Findings.KnownGood) > 0 && len(x.Findings.Hits) == 0 && stops(x.Findings.KnownGood) {
		x.Status = ItemKnownGood
		if prior != nil {
			x.Media = *prior
		}
		return x, nil
	}
	if p.satisfied(prior) && p.heard(prior) {
		x.Media = *prior
	} else {
		if err := e.analyze(ctx, p, prior, f, name, &x); err != nil {
			return x, err
		}
	}
	switch x.Media.Code {
	case "":
	case MediaUnsupported:
		x.Status = ItemUnsupported
	default:
		x.Status = ItemFailed
	}
	if x.Media.Analysis != nil {
		if err := e.compareSignals(ctx, p, x.Media.Analysis, &x.Findings); err != nil {
			return x, err
		}
	}
	x.Findings.contradict()
	if a := x.Media.Analysis; a != nil {
		own := *a
		if x.Added = own.addMetadata(p.selectors()); x.Added {
			x.Media.Analysis = &own
		}
		return x, e.compareSelectors(ctx, p, x.Media.Analysis, &x.Findings)
	}
	return x, nil
}

// stops reports whether one of the known-good hits is strong enough to end the
// examination: SHA-256, or SHA-1 with the size.
func stops(good []Hit) bool {
	return slices.ContainsFunc(good, func(h Hit) bool {
		return h.Algorithm == hashing.AlgorithmSHA256 || h.Algorithm == hashing.AlgorithmSHA1 && !h.Weak
	})
}

func (e *Engine) analyze(ctx context.Context, p *Plan, prior *Media, f *os.File, name string, x *Examination) error {
	if e.Analyzer == nil || f == nil {
		return errNoAnalyzer()
	}
	req := p.request(prior)
	req.Name = name
	a, err := e.Analyzer.Analyze(ctx, f, req)
	x.Plain = a.Plain
	a.sound(e.Engines)
	if err == nil {
		x.Decoded = true
		if prior != nil && prior.Analysis != nil {
			a.keep(prior.Analysis)
		}
		x.Media.Analysis = &a
		// What the other signals find is found; but that a provider gave nothing must be
		// seen, and tried again.
		if r, failed := a.failedRun(); failed {
			x.Media.Code, x.Media.Reason = r.Code, "provider "+string(r.Provider)+" "+r.Version+": "+r.Failed
		}
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch code := CodeOf(err); code {
	case MediaUnsupported, MediaDamaged, MediaTooLarge, Timeout, Internal:
		x.Media.Code, x.Media.Reason = code, err.Error()
		return nil
	}
	return err
}

func errNoAnalyzer() *Error {
	return Errorf(Unavailable, "pictures cannot be decoded here: the program semblance-worker was not found").
		WithHint("Install semblance-worker beside semblance, or name it in SEMBLANCE_WORKER; `semblance doctor` tells more.")
}
