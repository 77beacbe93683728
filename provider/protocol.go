package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"semblance"
	"semblance/hashing"
)

// protocolVersion is raised when the lines mean something else.
const protocolVersion = 1

// The parent writes a line of JSON, after a picture's its pixels; the program answers each
// with one line.
type request struct {
	Hello   *hello   `json:"hello,omitempty"`
	Picture *picture `json:"picture,omitempty"`
}

// A hello begins a conversation, and is answered alike.
type hello struct {
	Protocol int                    `json:"protocol"`
	Name     semblance.ProviderName `json:"name"`
	Version  string                 `json:"version"`
}

// A picture announces its pixels: Bytes bytes, 3·Width·Height, red, green and blue of each,
// row by row.
type picture struct {
	ID          int64   `json:"id"`
	Frame       int     `json:"frame"`
	Width       int     `json:"width"`
	Height      int     `json:"height"`
	Orientation int     `json:"orientation"` // EXIF, 1 to 8; 1 when the pixels are upright, 0 when the file says nothing
	MinScore    float32 `json:"min_score,omitempty"`
	MinFace     int     `json:"min_face,omitempty"`
	Bytes       int     `json:"bytes"`
	rgb         []byte
}

// An answer is a line of the program.
type answer struct {
	Hello  *hello  `json:"hello"`
	ID     int64   `json:"id"`
	None   *string `json:"none"`  // why there is nothing to say of the picture
	Error  *string `json:"error"` // why it could not say anything; asked again another time
	Hash   *string `json:"hash"`
	Labels []label `json:"labels"`
	Ages   []age   `json:"ages"`
	Faces  []face  `json:"faces"`
}

type label struct {
	Name  string  `json:"name"`
	Score float64 `json:"score"`
}

type age struct {
	Box  []float64 `json:"box"`
	Low  float64   `json:"low"`
	High float64   `json:"high"`
}

type face struct {
	Box       []float64    `json:"box"`
	Landmarks [][2]float64 `json:"landmarks"`
	Score     float64      `json:"score"`
	Quality   float64      `json:"quality"`
	Embedding []float64    `json:"embedding"`
}

// A violation is an answer that the manifest does not allow.
type violation struct{ what string }

func (v *violation) Error() string { return v.what }

func violate(format string, a ...any) error { return &violation{fmt.Sprintf(format, a...)} }

// The most of some things in one answer.
const (
	maxAges  = 200
	maxFaces = 500
)

// maxAnswer bounds a line before it is read.
func (m *Manifest) maxAnswer() int {
	n := 64<<10 + 200*len(m.Labels)
	if m.Hash != nil {
		n += 4 * hashing.MaxOwnBytes
	}
	if m.Ages {
		n += 300 * maxAges
	}
	if m.Faces != nil {
		n += maxFaces * (1000 + 26*m.Faces.Dimensions)
	}
	return n
}

// parseAnswer reads a line that may be anything.
func parseAnswer(line []byte) (answer, error) {
	var a answer
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, violate("a line that is no answer: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a, violate("a line with more than an answer")
	}
	return a, nil
}

// A gift is what a program gave of a picture, checked.
type gift struct {
	value     []byte
	statement semblance.FrameStatement
	faces     []semblance.Face
}

// check compares an answer with the manifest and the picture it is about. scale is how
// many pixels of the whole picture one of these is.
func (m *Manifest) check(a *answer, p *picture, scale float64) (gift, error) {
	g := gift{statement: semblance.FrameStatement{Frame: p.Frame}}
	switch {
	case a.Hello != nil || a.ID != p.ID:
		return g, violate("an answer to picture %d, where %d was asked about", a.ID, p.ID)
	case a.None != nil && (a.Hash != nil || len(a.Labels)+len(a.Ages)+len(a.Faces) > 0):
		return g, violate("nothing, and something, of one picture")
	case a.None != nil && m.Faces != nil:
		return g, violate("no answer about faces: no face is an empty list")
	case a.None != nil:
		if g.statement.None = clean(*a.None, maxText); g.statement.None == "" {
			return g, violate("nothing, without a reason")
		}
		return g, nil
	}
	for _, check := range []func(*answer, *picture, float64, *gift) error{m.checkHash, m.checkLabels, m.checkAges, m.takeFaces} {
		if err := check(a, p, scale, &g); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (m *Manifest) checkHash(a *answer, _ *picture, _ float64, g *gift) error {
	if (m.Hash != nil) != (a.Hash != nil) {
		return violate("a hash that is missing, or that the manifest does not promise")
	}
	if a.Hash == nil {
		return nil
	}
	algorithm, err := m.algorithm()
	if err != nil {
		return err
	}
	if g.value, err = hashing.Parse(algorithm, *a.Hash); err != nil {
		return violate("a hash that is none: %v", err)
	}
	return nil
}

func (m *Manifest) checkLabels(a *answer, _ *picture, _ float64, g *gift) error {
	if (len(m.Labels) > 0) != (a.Labels != nil) {
		return violate("labels that are missing, or that the manifest does not promise; none is an empty list")
	}
	seen := map[string]bool{}
	for _, l := range a.Labels {
		if !slices.Contains(m.Labels, l.Name) || seen[l.Name] || !(l.Score >= 0 && l.Score <= 1) {
			return violate("label %q with a score of %v, which the manifest does not have, or which is there twice, or is not 0 to 1", clean(l.Name, 60), l.Score)
		}
		seen[l.Name] = true
		g.statement.Labels = append(g.statement.Labels, semblance.Label{Name: l.Name, Score: float32(l.Score)})
	}
	return nil
}

func (m *Manifest) checkAges(a *answer, p *picture, scale float64, g *gift) error {
	if m.Ages != (a.Ages != nil) || len(a.Ages) > maxAges {
		return violate("%d ages; none is an empty list, and only of a manifest that promises ages", len(a.Ages))
	}
	for _, x := range a.Ages {
		if !(x.Low >= 0 && x.Low <= x.High && x.High <= 130) {
			return violate("an age from %v to %v", x.Low, x.High)
		}
		out := semblance.Age{Low: float32(x.Low), High: float32(x.High)}
		if x.Box != nil {
			box, err := boxOf(x.Box, p, scale)
			if err != nil {
				return err
			}
			out.Box = &box
		}
		g.statement.Ages = append(g.statement.Ages, out)
	}
	return nil
}

// boxOf reads x, y, width and height.
func boxOf(v []float64, p *picture, scale float64) (semblance.Box, error) {
	if len(v) != 4 || !(v[2] > 0 && v[3] > 0) || !near(p, v[0], v[1]) || !near(p, v[0]+v[2], v[1]+v[3]) {
		return semblance.Box{}, violate("a box %v that is none, or far from the picture", v)
	}
	return semblance.Box{X: float32(v[0] * scale), Y: float32(v[1] * scale), W: float32(v[2] * scale), H: float32(v[3] * scale)}, nil
}

// near reports whether a point is finite and at most a picture's side beyond the picture.
func near(p *picture, x, y float64) bool {
	w, h := float64(p.Width), float64(p.Height)
	return x >= -w && x <= 2*w && y >= -h && y <= 2*h
}

func (m *Manifest) takeFaces(a *answer, p *picture, scale float64, g *gift) error {
	if (m.Faces != nil) != (a.Faces != nil) || len(a.Faces) > maxFaces {
		return violate("%d faces; none is an empty list, and only of a manifest that promises faces", len(a.Faces))
	}
	for _, f := range a.Faces {
		out, err := m.face(f, p, scale)
		if err != nil {
			return err
		}
		g.faces = append(g.faces, out)
	}
	slices.SortStableFunc(g.faces, func(x, y semblance.Face) int {
		switch {
		case x.Score > y.Score:
			return -1
		case x.Score < y.Score:
			return 1
		}
		return 0
	})
	return nil
}

func (m *Manifest) face(f face, p *picture, scale float64) (semblance.Face, error) {
	out := semblance.Face{Frame: p.Frame, Score: float32(f.Score), Quality: float32(f.Quality)}
	var err error
	if out.Box, err = boxOf(f.Box, p, scale); err != nil {
		return out, err
	}
	switch {
	case !(f.Score >= 0 && f.Score <= 1) || !(f.Quality >= 0 && f.Quality <= 100):
		return out, violate("a score of %v or a quality of %v", f.Score, f.Quality)
	case len(f.Landmarks) != 0 && len(f.Landmarks) != 5:
		return out, violate("%d landmarks; it is 5 or none", len(f.Landmarks))
	case len(f.Embedding) != 0 && len(f.Embedding) != m.Faces.Dimensions:
		return out, violate("an embedding of %d numbers, where the manifest says %d", len(f.Embedding), m.Faces.Dimensions)
	}
	for _, l := range f.Landmarks {
		if !near(p, l[0], l[1]) {
			return out, violate("a landmark that is far from the picture")
		}
		out.Landmarks = append(out.Landmarks, semblance.Point{X: float32(l[0] * scale), Y: float32(l[1] * scale)})
	}
	out.Embedding, err = m.embedding(f.Embedding)
	return out, err
}

// embedding normalizes what is compared by cosine.
func (m *Manifest) embedding(v []float64) ([]float32, error) {
	if len(v) == 0 {
		return nil, nil
	}
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	length := math.Sqrt(sum)
	if !(length > 1e-6 && length < 1e6) {
		return nil, violate("an embedding of length %v", length)
	}
	out := make([]float32, len(v))
	for i, x := range v {
		if m.Faces.Metric == semblance.Cosine {
			x /= length
		}
		out[i] = float32(x)
	}
	return out, nil
}
