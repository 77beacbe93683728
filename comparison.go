package semblance

import (
	"context"
	"fmt"
	"io"
	"os"

	"semblance/hashing"
)

// Signals makes digests and the signals asked for of one file. It stores nothing.
func (e *Engine) Signals(ctx context.Context, f *os.File, req AnalyzeRequest) (hashing.Digests, Analysis, error) {
	d, err := e.digest(ctx, f)
	if err != nil {
		return d, Analysis{}, err
	}
	if d.Size == 0 {
		return d, Analysis{}, Errorf(MediaDamaged, "the file is empty")
	}
	a, err := e.analyzeOnly(ctx, f, req)
	return d, a, err
}

// digest reads a file once from its start, wherever its offset stands.
func (e *Engine) digest(ctx context.Context, f *os.File) (hashing.Digests, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return hashing.Digests{}, err
	}
	return hashing.Digest(ctx, f)
}

func (e *Engine) analyzeOnly(ctx context.Context, f *os.File, req AnalyzeRequest) (Analysis, error) {
	if e.Analyzer == nil {
		return Analysis{}, errNoAnalyzer()
	}
	req.Limits = e.Limits
	a, err := e.Analyzer.Analyze(ctx, f, req)
	a.sound(e.Engines)
	return a, err
}

// A Comparison is what comparing two pictures gives: 1:1, nothing stored.
type Comparison struct {
	Distance    *float64   `json:"distance"` // of the two faces chosen; nil when there are none to compare
	Metric      Metric     `json:"metric"`
	Engine      EngineName `json:"engine"`
	FacesA      int        `json:"faces_a"`
	FacesB      int        `json:"faces_b"`
	FaceA       *int       `json:"face_a,omitempty"`
	FaceB       *int       `json:"face_b,omitempty"`
	QualityA    float32    `json:"quality_a"`
	QualityB    float32    `json:"quality_b"`
	Threshold   float64    `json:"threshold"`               // the engine's default for collections
	PDQDistance *int       `json:"pdq_distance"`            // of the nearest of the eight turns and mirrors of a
	Transform   string     `json:"pdq_transform,omitempty"` // that one: "original", "flipy", ...
	Why         string     `json:"why,omitempty"`           // why there is no distance
}

// Compare compares a face of a with a face of b, and the two pictures by PDQ.
// Where a picture has several faces, faceA and faceB say which; nil means its
// only one.
func (e *Engine) Compare(ctx context.Context, engine EngineName, look Detection, a, b *os.File, faceA, faceB *int) (Comparison, error) {
	if err := look.Validate(); err != nil {
		return Comparison{}, err
	}
	spec, err := e.Engines.ByName(engine)
	if err != nil {
		return Comparison{}, err
	}
	if err := e.CheckEngine(ctx, spec.Name); err != nil {
		return Comparison{}, err
	}
	req := AnalyzeRequest{Engines: []EngineName{spec.Name}, Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ}, Detection: look}
	c := Comparison{Engine: spec.Name, Metric: spec.Metric, Threshold: spec.Distance}
	sa, err := e.analyzeOnly(ctx, a, req)
	if err != nil {
		return c, fmt.Errorf("the first picture: %w", err)
	}
	sb, err := e.analyzeOnly(ctx, b, req)
	if err != nil {
		return c, fmt.Errorf("the second picture: %w", err)
	}
	if len(sa.Hashes) > 0 && len(sb.Hashes) > 0 {
		d, t := nearestTurn(sa.Hashes[0].PDQ, sb.Hashes[0].PDQ.Hash)
		c.PDQDistance, c.Transform = &d, t.String()
	}
	fa, fb := first(sa.Faces(spec.Name)).Faces, first(sb.Faces(spec.Name)).Faces
	c.FacesA, c.FacesB = len(fa), len(fb)
	if len(fa) == 0 || len(fb) == 0 {
		c.Why = "a picture has no face that was found"
		return c, nil
	}
	ia, err := chooseFace(fa, faceA)
	if err != nil {
		return c, Errorf(CodeOf(err), "the first picture: %v", err).WithHint("Choose with --face-a N, numbered from 0 by detector score; `semblance faces` lists them.")
	}
	ib, err := chooseFace(fb, faceB)
	if err != nil {
		return c, Errorf(CodeOf(err), "the second picture: %v", err).WithHint("Choose with --face-b N, numbered from 0 by detector score; `semblance faces` lists them.")
	}
	c.FaceA, c.FaceB, c.QualityA, c.QualityB = &ia, &ib, fa[ia].Quality, fb[ib].Quality
	if !fa[ia].Searchable() || !fb[ib].Searchable() {
		c.Why = "a face is too poor to compare"
		return c, nil
	}
	d := RoundDistance(spec.Metric.Distance(fa[ia].Embedding, fb[ib].Embedding))
	c.Distance = &d
	return c, nil
}

// nearestTurn is the smallest distance of a turned or mirrored picture from another.
func nearestTurn(a *hashing.PDQResult, b hashing.PDQ) (int, hashing.Transform) {
	best, turn := a.Hash.Distance(b), hashing.Original
	for t, h := range a.Turned {
		if d := h.Distance(b); t != int(hashing.Original) && d < best {
			best, turn = d, hashing.Transform(t)
		}
	}
	return best, turn
}

func first[A, B any](a A, _ B) A { return a }
