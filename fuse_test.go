package semblance_test

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"semblance"
)

func (r *rig) probe(name string, p picture) semblance.Probe {
	r.t.Helper()
	b := p.bytes(r.t)
	return semblance.Probe{Name: name, Reference: "ref of " + name, Open: func() (*os.File, error) { return r.file(b), nil }}
}

func (r *rig) fused(pics []semblance.Probe, terms semblance.Terms, collections ...string) (semblance.SearchResult, error) {
	r.t.Helper()
	return r.SearchFused(r.t.Context(), tester, semblance.FusedRequest{
		SearchRequest: semblance.SearchRequest{Case: "C1", Collections: collections, Terms: terms}, Pictures: pics})
}

func TestFuseIsTheMeanThatTheMetricCanCompare(t *testing.T) {
	t.Parallel()
	a, b := []float32{1, 0}, []float32{0, 1}
	half := float32(math.Sqrt(0.5))
	for name, c := range map[string]struct {
		metric  semblance.Metric
		vectors [][]float32
		want    []float32
	}{
		"cosine has length 1":  {semblance.Cosine, [][]float32{a, b}, []float32{half, half}},
		"euclid is the middle": {semblance.Euclid, [][]float32{a, b}, []float32{0.5, 0.5}},
		"one is itself":        {semblance.Cosine, [][]float32{a}, a},
		"none is nothing":      {semblance.Cosine, nil, nil},
		"opposites cancel out": {semblance.Cosine, [][]float32{a, {-1, 0}}, nil},
	} {
		if got := c.metric.Fuse(c.vectors); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestFusedPicturesAreOneProbe(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0, 0)
	r.enroll("g", "other", 0, 0, 1)
	left, right := picture{Faces: [][]float32{{0.8, 0.6, 0}}}, picture{Faces: [][]float32{{0.8, -0.6, 0}}}
	zero := 0
	two := r.probe("two.jpg", picture{Faces: [][]float32{{0.96, 0.28, 0}, {0, 0, 1}}})
	two.Face = &zero
	res, err := r.fused([]semblance.Probe{r.probe("left.jpg", left), r.probe("right.jpg", right), r.probe("copy.jpg", left), two,
		r.probe("poor.jpg", picture{Faces: [][]float32{{0, 0, 1}}, Poor: []int{0}}), r.probe("wall.jpg", picture{})}, semblance.Terms{}, "g")
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Request.Candidates) != 1 || res.Request.Candidates[0].Subject != "s" || res.Request.Candidates[0].Distance > 0.02 || res.Request.Outcome != semblance.PotentialCandidate {
		t.Errorf("candidates %+v, outcome %s: the template of left and right looks straight ahead", res.Request.Candidates, res.Request.Outcome)
	}
	var out []string
	for _, p := range res.Request.Pictures {
		out = append(out, p.Name+": "+p.LeftOut)
		if (p.LeftOut == "") != (p.Distance != nil) {
			t.Errorf("%+v", p)
		}
	}
	want := []string{"left.jpg: ", "right.jpg: ", "copy.jpg: the same picture as left.jpg", "two.jpg: ", "poor.jpg: the face is too poor to search, quality 5 [small]", "wall.jpg: no face was found"}
	if !slices.Equal(out, want) {
		t.Errorf("pictures %q, want %q", out, want)
	}
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "left.jpg and right.jpg are 0.7200 apart") {
		t.Errorf("warnings %q", res.Warnings)
	}
	c, err := r.Cases.Case(t.Context(), "C1")
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := r.Requests.Requests(t.Context(), c.ID); err != nil || len(kept) != 1 || len(kept[0].Pictures) != 6 {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func TestFusedPicturesThatCannotBeOnePerson(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0)
	two := picture{Faces: [][]float32{{1, 0}, {0, 1}}}
	face := func(p picture, i int) semblance.Probe {
		x := r.probe("two.jpg", p)
		x.Face = &i
		return x
	}
	one := r.probe("one.jpg", picture{Faces: [][]float32{{1, 0}}})
	for name, c := range map[string]struct {
		pics []semblance.Probe
		code semblance.Code
		says string
	}{
		"two faces, none chosen":   {[]semblance.Probe{one, r.probe("two.jpg", two)}, semblance.FaceCount, "two.jpg: 2 faces were found"},
		"a face that is not there": {[]semblance.Probe{one, face(two, 2)}, semblance.FaceCount, "two.jpg: there is no face 2"},
		"two faces of one picture": {[]semblance.Probe{face(two, 0), face(two, 1)}, semblance.Invalid, "cannot be one person"},
		"one picture":              {[]semblance.Probe{one}, semblance.Invalid, "takes 2 to 100 pictures"},
		"not a picture":            {[]semblance.Probe{one, r.probe("text.txt", picture{Fail: "media-unsupported"})}, semblance.MediaUnsupported, "text.txt: it fails"},
	} {
		if _, err := r.fused(c.pics, semblance.Terms{}, "g"); semblance.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	poor := picture{Faces: [][]float32{{1, 0}}, Poor: []int{0}}
	res, err := r.fused([]semblance.Probe{r.probe("a", poor), r.probe("b", picture{})}, semblance.Terms{}, "g")
	if err != nil || res.Request.Outcome != semblance.Inconclusive || len(res.NotSearched) != 2 {
		t.Errorf("pictures without a usable face: %s, %+v, %v", res.Request.Outcome, res.NotSearched, err)
	}
}

func TestFusedProbeIsRankedAgainFused(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	p := picture{Faces: [][]float32{{1, 0}}, Second: [][]float32{{1, 0}}, Salt: "s"}
	if _, err := r.Enroll(t.Context(), tester, semblance.EnrollRequest{Collection: "g", Subject: "s", Source: "s", File: r.file(p.bytes(t))}); err != nil {
		t.Fatal(err)
	}
	a, b := picture{Faces: [][]float32{{1, 0}}, Second: [][]float32{{3, 1}}}, picture{Faces: [][]float32{{1, 0}}, Second: [][]float32{{3, -1}}}
	res, err := r.fused([]semblance.Probe{r.probe("a", a), r.probe("b", b)}, semblance.Terms{Rerank: semblance.YuNetDlib}, "g")
	if err != nil || len(res.Request.Candidates) != 1 || res.Request.Candidates[0].Reranked.Distance == nil || *res.Request.Candidates[0].Reranked.Distance != 2 {
		t.Errorf("%+v, %v", res.Request.Candidates, err)
	}
}
