package semblance

import (
	"context"
	"fmt"
	"math"
	"os"
)

// A Probe is one picture to search with.
type Probe struct {
	Name      string // for people
	Reference string // the asker's own, on a sheet
	Face      *int   // which one, where the picture has several
	Open      func() (*os.File, error)
}

// A FusedRequest asks for the nearest subjects of one person of whom there are
// several pictures. Faces, Together, Name and File of the search are not used.
type FusedRequest struct {
	SearchRequest
	Pictures []Probe
}

// A ProbePicture is what became of one picture of a fused probe.
type ProbePicture struct {
	SHA256   SHA256   `json:"sha256"`
	Name     string   `json:"name"`
	Face     *int     `json:"face,omitempty"`     // the one that was meant
	Quality  float32  `json:"quality"`            // of that face
	Distance *float64 `json:"distance,omitempty"` // from the template that all pictures used make together
	LeftOut  string   `json:"left_out,omitempty"` // why it was not used
}

// MaxFused is how many pictures one fused probe can have.
const MaxFused = 100

// Fuse makes one template of several embeddings of one person: their mean, which
// cosine needs at length 1 again. docs/search.md says what was measured beside it.
// The vectors have one length; none gives nil, and so do ones that cancel out.
func (m Metric) Fuse(vectors [][]float32) []float32 {
	if len(vectors) == 0 {
		return nil
	}
	sum := make([]float64, len(vectors[0]))
	length := 0.0
	for _, v := range vectors {
		for i, x := range v {
			sum[i] += float64(x) / float64(len(vectors))
		}
	}
	for _, x := range sum {
		length += float64(x * x)
	}
	if length = math.Sqrt(length); length < 1e-6 {
		return nil
	}
	if m != Cosine {
		length = 1
	}
	out := make([]float32, len(sum))
	for i, x := range sum {
		out[i] = float32(x / length)
	}
	return out
}

// A fusedPicture is one picture of a fused probe with its face.
type fusedPicture struct {
	ProbePicture
	face   Face
	second []float32 // the same face's embedding of the engine that ranks again
}

// SearchFused searches one template of several pictures of one person. Each
// picture needs one face, or says which is meant (FaceCount). Pictures that are the
// same, or whose face is too poor, are left out, and the answer says so; when none
// is left, the outcome is inconclusive. The request is kept and audited.
func (e *Engine) SearchFused(ctx context.Context, who Actor, r FusedRequest) (SearchResult, error) {
	if n := len(r.Pictures); n < 2 || n > MaxFused {
		return SearchResult{}, Errorf(Invalid, "a fused search takes 2 to %d pictures of one person, not %d", MaxFused, n).
			WithHint("Search one picture for itself; for pictures of several persons give --probes a folder or a list.")
	}
	r.Faces, r.Together = nil, false
	s, err := e.newSearch(ctx, who, r.SearchRequest)
	if err != nil {
		return SearchResult{}, err
	}
	pics := make([]fusedPicture, len(r.Pictures))
	err = inParallel(ctx, len(pics), func(ctx context.Context, i int) (err error) {
		pics[i], err = s.picture(ctx, r.Pictures[i])
		return err
	})
	if err != nil {
		return SearchResult{}, err
	}
	if err := onePerson(pics); err != nil {
		return SearchResult{}, err
	}
	res := s.result()
	probe, second := s.fuse(pics, &res)
	if err := s.answer(ctx, probe, &res); err != nil {
		return res, err
	}
	if len(probe) == 0 {
		res.Request.Reason = "no picture has a face that is good enough to search"
	}
	if err := s.rerank(ctx, &res, [][]float32{second}); err != nil {
		return res, err
	}
	return res, s.keep(ctx, &res)
}

// picture analyzes one picture of a fused probe and finds the face that is meant.
func (s *search) picture(ctx context.Context, p Probe) (fusedPicture, error) {
	out := fusedPicture{ProbePicture: ProbePicture{Name: p.Name}}
	f, err := p.Open()
	if err != nil {
		return out, err
	}
	defer f.Close()
	d, a, err := s.e.Signals(ctx, f, AnalyzeRequest{Engines: s.engines(), Crops: true, Detection: s.terms.Detection})
	if err != nil {
		return out, fmt.Errorf("%s: %w", p.Name, err)
	}
	out.SHA256 = d.SHA256
	set, _ := a.Faces(s.spec.Name)
	if len(set.Faces) == 0 && p.Face == nil {
		out.LeftOut = "no face was found"
		return out, nil
	}
	i, err := chooseFace(set.Faces, p.Face)
	if err != nil {
		public := Errorf(CodeOf(err), "%s: %v", p.Name, err).WithHint("%s", HintOf(err))
		if p.Face == nil {
			public = public.WithHint("A fused probe is one person: say which face is meant in every picture, such as --face 0,-,2 with - for a picture with one face.")
		}
		return out, public
	}
	out.face, out.Face, out.Quality = set.Faces[i], &i, set.Faces[i].Quality
	if !out.face.Searchable() {
		out.LeftOut = fmt.Sprintf("the face is too poor to search, quality %.0f %v", out.face.Quality, out.face.Reasons)
	}
	if all := a.embeddingsOf(s.second, set.Faces[i:i+1]); len(all) > 0 {
		out.second = all[0]
	}
	return out, nil
}

// onePerson refuses two faces of one picture: they are two persons.
func onePerson(pics []fusedPicture) error {
	for i, p := range pics {
		for _, o := range pics[:i] {
			if p.SHA256 == o.SHA256 && p.Face != nil && o.Face != nil && *p.Face != *o.Face {
				return Errorf(Invalid, "%s and %s are one picture, and its faces %d and %d cannot be one person", o.Name, p.Name, *o.Face, *p.Face).
					WithHint("Fuse pictures of one person, or search the faces of one picture with --face %d,%d.", *o.Face, *p.Face)
			}
		}
	}
	return nil
}

// fuse makes the one face of the pictures, carried by the best of them, and notes
// what became of each. It returns no face when no picture can be used.
func (s *search) fuse(pics []fusedPicture, res *SearchResult) (probe []Face, second []float32) {
	seen := map[SHA256]string{}
	var used []int
	for i := range pics {
		p := &pics[i]
		if same, ok := seen[p.SHA256]; ok && p.LeftOut == "" {
			p.LeftOut = "the same picture as " + same
		}
		if p.LeftOut == "" {
			seen[p.SHA256] = p.Name
			used = append(used, i)
		}
	}
	var vectors, seconds [][]float32
	best := -1
	for _, i := range used {
		vectors = append(vectors, pics[i].face.Embedding)
		if len(pics[i].second) > 0 {
			seconds = append(seconds, pics[i].second)
		}
		if best < 0 || pics[i].Quality > pics[best].Quality {
			best = i
		}
	}
	if template := s.spec.Metric.Fuse(vectors); template != nil {
		face := pics[best].face
		face.Embedding = template
		probe, second = []Face{face}, s.second.Metric.Fuse(seconds)
		for _, i := range used {
			d := RoundDistance(s.spec.Metric.Distance(pics[i].face.Embedding, template))
			pics[i].Distance = &d
		}
		res.Request.Probe, res.Request.ProbeName = pics[best].SHA256, fmt.Sprintf("%d pictures fused, the best of them %s", len(used), pics[best].Name)
	} else {
		res.Request.Probe, res.Request.ProbeName = pics[0].SHA256, pics[0].Name
	}
	s.warnApart(pics, used, res)
	for i := range pics {
		if pics[i].LeftOut != "" {
			res.NotSearched = append(res.NotSearched, BadLine{Line: i, Text: pics[i].Name, Reason: pics[i].LeftOut})
		}
		res.Request.Pictures = append(res.Request.Pictures, pics[i].ProbePicture)
	}
	res.Faces = shownFaces(probe)
	return probe, second
}

// warnApart says when pictures are so far from each other that they may not show one
// person: fused, they would be near nobody.
func (s *search) warnApart(pics []fusedPicture, used []int, res *SearchResult) {
	apart, a, b := 0.0, 0, 0
	for k, i := range used {
		for _, j := range used[:k] {
			if d := s.spec.Metric.Distance(pics[i].face.Embedding, pics[j].face.Embedding); d > apart {
				apart, a, b = d, j, i
			}
		}
	}
	if apart = RoundDistance(apart); apart > s.spec.Distance {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%s and %s are %.4f apart, more than the %.4f within which engine %s has candidates: look whether all pictures show one person",
			pics[a].Name, pics[b].Name, apart, s.spec.Distance, s.spec.Name))
	}
}
