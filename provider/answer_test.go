package provider

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
)

// FuzzAnswer takes lines that may be anything: they are refused, or what is taken from
// them is what the manifest promises.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"id":1,"hash":"`+strings.Repeat("ab", 144)+`"}`), 0)
	f.Add([]byte(`{"id":1,"labels":[{"name":"a","score":0.5}],"ages":[{"box":[0,0,4,4],"low":3,"high":9}]}`), 1)
	f.Add([]byte(`{"id":1,"faces":[{"box":[0,0,4,4],"score":1,"quality":50,"embedding":[1,0,1e3],"landmarks":[[1,1],[1,1],[1,1],[1,1],[1,1]]}]}`), 2)
	f.Add([]byte(`{"id":1,"none":"small"}`), 0)
	f.Add([]byte(`{"id":1,"error":"x"}`), 1)
	manifests := []Manifest{
		{Name: "a", Version: "1", Hash: &HashGift{Algorithm: hashing.AlgorithmPhotoDNA}},
		{Name: "a", Version: "1", Labels: []string{"a", "b"}, Ages: true},
		{Name: "a", Version: "1", Faces: &FaceGift{Dimensions: 3, Metric: semblance.Cosine, Distance: 1}, Upright: true},
	}
	f.Fuzz(func(t *testing.T, line []byte, which int) {
		m := &manifests[(which%3+3)%3]
		a, err := parseAnswer(line)
		if err != nil {
			return
		}
		g, err := m.check(&a, &picture{ID: 1, Width: 8, Height: 8}, 2)
		if err != nil {
			return
		}
		if g.statement.None == "" && m.Hash != nil && len(g.value) != 144 {
			t.Fatalf("%s gave a hash of %d bytes", line, len(g.value))
		}
		if _, err := json.Marshal(g.statement); err != nil { // what is not finite cannot be stored
			t.Fatal(err)
		}
		for _, face := range g.faces {
			sum := 0.0
			for _, v := range face.Embedding {
				sum += float64(v) * float64(v)
			}
			if len(face.Embedding) > 0 && math.Abs(sum-1) > 1e-3 || len(face.Embedding)%3 != 0 || face.Quality < 0 || face.Quality > 100 {
				t.Fatalf("%s gave %+v", line, face)
			}
		}
	})
}

// Turning follows EXIF: the eight orientations of a picture of 2 by 3 pixels.
func TestUpright(t *testing.T) {
	t.Parallel()
	stored := semblance.Frame{Width: 2, Height: 3}
	for i := range byte(6) { // 0 1 / 2 3 / 4 5
		stored.RGB = append(stored.RGB, i, 10+i, 20+i)
	}
	for orientation, want := range map[int][]byte{
		0: {0, 1, 2, 3, 4, 5}, 1: {0, 1, 2, 3, 4, 5}, 2: {1, 0, 3, 2, 5, 4}, 3: {5, 4, 3, 2, 1, 0}, 4: {4, 5, 2, 3, 0, 1},
		5: {0, 2, 4, 1, 3, 5}, 6: {4, 2, 0, 5, 3, 1}, 7: {5, 3, 1, 4, 2, 0}, 8: {1, 3, 5, 0, 2, 4},
	} {
		f := upright(stored, orientation)
		var got []byte
		for i := 0; i < len(f.RGB); i += 3 {
			got = append(got, f.RGB[i])
			if f.RGB[i+1] != f.RGB[i]+10 || f.RGB[i+2] != f.RGB[i]+20 {
				t.Fatal("colors went apart")
			}
		}
		if !bytes.Equal(got, want) || orientation >= 5 && f.Width != 3 {
			t.Errorf("orientation %d: %v, want %v", orientation, got, want)
		}
	}
}
