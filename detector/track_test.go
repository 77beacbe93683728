package detector_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"semblance"
	"semblance/detector"
)

var cosine = semblance.EngineSpec{Name: "test", Version: 1, Dimensions: 3, Metric: semblance.Cosine, Distance: 0.5}

// seen is a face at a place, of a person: persons are angles, and one of 90 degrees is
// at distance 1 of one of 0.
func seen(x float32, degrees float64, quality float32) semblance.Face {
	s, c := math.Sincos(degrees * math.Pi / 180)
	return semblance.Face{Box: semblance.Box{X: x, Y: 10, W: 100, H: 100}, Score: 0.9, Quality: quality, Embedding: []float32{float32(c), float32(s), 0}}
}

func blind(x float32) semblance.Face { f := seen(x, 0, 10); f.Embedding = nil; return f }

type look struct {
	second float64
	cut    bool
	faces  []semblance.Face
}

// span is what a test expects of a track.
type span struct {
	from, until, second float64
	frames              int
}

func spans(t *testing.T, most int, looks ...look) (out []span, faces []semblance.Face, dropped int) {
	t.Helper()
	tracker := detector.NewTracker(cosine, most)
	for i, l := range looks {
		for j := range l.faces {
			l.faces[j].Frame = i
		}
		err := tracker.Add(time.Duration(l.second*float64(time.Second)), l.faces, l.cut, func(f *semblance.Face) ([]byte, error) { return []byte{byte(f.Quality)}, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	faces, dropped = tracker.Faces()
	for _, f := range faces {
		a := f.Appearance
		out = append(out, span{a.From, a.Until, a.Second, a.Frames})
		if len(f.Crop) != 1 || f.Crop[0] != byte(f.Quality) {
			t.Errorf("the crop %v is not that of the best face, quality %v", f.Crop, f.Quality)
		}
	}
	return out, faces, dropped
}

func TestTracker(t *testing.T) {
	t.Parallel()
	type faces = []semblance.Face
	for _, tt := range []struct {
		name  string
		looks []look
		want  []span // by frame of the best face
	}{
		{"nobody", []look{{0, false, nil}, {1, false, nil}}, nil},
		{"a person stays, and is best in the middle", []look{{0, false, faces{seen(0, 0, 40)}}, {0.5, false, faces{seen(20, 10, 80)}}, {1, false, faces{seen(40, 0, 60)}}}, []span{{0, 1, 0.5, 3}}},
		{"walks far between two looks", []look{{0, false, faces{seen(0, 0, 50)}}, {0.5, false, faces{seen(500, 20, 50)}}}, []span{{0, 0.5, 0, 2}}},
		{"another person at the same place", []look{{0, false, faces{seen(0, 0, 50)}}, {0.5, false, faces{seen(0, 90, 50)}}}, []span{{0, 0, 0, 1}, {0.5, 0.5, 0.5, 1}}},
		{"a turned head at the same place", []look{{0, false, faces{seen(0, 0, 50)}}, {0.5, false, faces{seen(5, 65, 30)}}}, []span{{0, 0.5, 0, 2}}},
		{"a turned head elsewhere", []look{{0, false, faces{seen(0, 0, 50)}}, {0.5, false, faces{seen(500, 65, 30)}}}, []span{{0, 0, 0, 1}, {0.5, 0.5, 0.5, 1}}},
		{"a cut", []look{{0, false, faces{seen(0, 0, 50)}}, {0.5, true, faces{seen(0, 0, 50)}}}, []span{{0, 0, 0, 1}, {0.5, 0.5, 0.5, 1}}},
		{"two persons alike in one frame", []look{{0, false, faces{seen(0, 0, 50), seen(200, 3, 50)}}, {0.5, false, faces{seen(190, 3, 60), seen(10, 0, 60)}}}, []span{{0, 0.5, 0.5, 2}, {0, 0.5, 0.5, 2}}},
		{"two persons who change places", []look{{0, false, faces{seen(0, 0, 50), seen(200, 90, 50)}}, {0.5, false, faces{seen(0, 90, 40), seen(200, 0, 40)}}}, []span{{0, 0.5, 0, 2}, {0, 0.5, 0, 2}}},
		{"too poor to compare, at the same place", []look{{0, false, faces{blind(0)}}, {0.5, false, faces{blind(20)}}, {1, false, faces{blind(300)}}}, []span{{0, 0.5, 0, 2}, {1, 1, 1, 1}}},
		{"gone for two seconds, and back", []look{{0, false, faces{seen(0, 0, 50)}}, {1, false, nil}, {2, false, faces{seen(300, 0, 40)}}}, []span{{0, 2, 0, 2}}},
		{"gone for long", []look{{0, false, faces{seen(0, 0, 50)}}, {3, false, nil}, {6, false, nil}, {9, false, faces{seen(0, 0, 40)}}}, []span{{0, 0, 0, 1}, {9, 9, 9, 1}}},
		{"looks that lie far apart", []look{{0, false, faces{seen(0, 0, 50)}}, {20, false, faces{seen(300, 10, 40)}}, {40, false, faces{seen(0, 90, 40)}}}, []span{{0, 20, 0, 2}, {40, 40, 40, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _, dropped := spans(t, 100, tt.looks...)
			if !slices.Equal(got, tt.want) || dropped != 0 {
				t.Errorf("%v, %d dropped, want %v", got, dropped, tt.want)
			}
		})
	}
}

// TestTrackerKeepsWhatSaysMost has more persons than are kept.
func TestTrackerKeepsWhatSaysMost(t *testing.T) {
	t.Parallel()
	var looks []look
	for i := range 50 {
		l := look{second: float64(i), cut: true, faces: []semblance.Face{blind(float32(300))}}
		if i%5 == 0 {
			l.faces = append(l.faces, seen(0, float64(i), 50))
		}
		looks = append(looks, l, look{second: l.second + 0.5, faces: slices.Clone(l.faces[len(l.faces)-1:])})
	}
	got, faces, dropped := spans(t, 12, looks...)
	searchable := 0
	for i := range faces {
		if faces[i].Searchable() {
			searchable++
		}
	}
	if len(got) != 12 || dropped != 60-12 || searchable != 10 {
		t.Errorf("%d kept, %d of them searchable, %d dropped: %v", len(got), searchable, dropped, got)
	}
}

// TestTrackerTakesTheBest gives what is compared to the face that is shown.
func TestTrackerTakesTheBest(t *testing.T) {
	t.Parallel()
	want := seen(0, 20, 80)
	_, faces, _ := spans(t, 10, look{0, false, []semblance.Face{seen(0, 0, 70)}}, look{0.5, false, []semblance.Face{want}}, look{1, false, []semblance.Face{seen(0, 10, 75)}})
	if len(faces) != 1 || !slices.Equal(faces[0].Embedding, want.Embedding) || faces[0].Quality != 80 {
		t.Errorf("%+v", faces)
	}
}
