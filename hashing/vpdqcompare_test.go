package hashing_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"semblance/hashing"
)

// A film is what a camera saw: scenes of two to six seconds, and in each a picture that
// changes by some bits a second.
type film struct {
	cuts []float64 // where scenes begin
	hash []hashing.PDQ
	flip [][]int // bits in the order they change
	rate float64 // bits a second
}

func newFilm(seed uint64, seconds, rate float64) *film {
	r := rand.New(rand.NewPCG(seed, 5))
	f := &film{rate: rate}
	for t := 0.0; t < seconds; t += 2 + 4*r.Float64() {
		var h hashing.PDQ
		for i := range h {
			h[i] = byte(r.Uint32())
		}
		flips := r.Perm(256)
		for len(flips) < int(7*rate) {
			flips = append(flips, r.IntN(256))
		}
		f.cuts, f.hash, f.flip = append(f.cuts, t), append(f.hash, h), append(f.flip, flips)
	}
	return f
}

func (f *film) at(t float64) hashing.PDQ {
	k := 0
	for k+1 < len(f.cuts) && f.cuts[k+1] <= t {
		k++
	}
	h := f.hash[k]
	for _, b := range f.flip[k][:min(int((t-f.cuts[k])*f.rate), len(f.flip[k]))] {
		h[b/8] ^= 1 << (b % 8)
	}
	return h
}

// sample is a video that shows the film from a second on, with some bits wrong.
func (f *film) sample(from, length, step, speed float64, noise int, seed uint64) hashing.VPDQ {
	r := rand.New(rand.NewPCG(seed, 6))
	var v hashing.VPDQ
	for i := 0; float64(i)*step < length; i++ {
		t := float64(i) * step
		h := f.at(from + t*speed)
		for range noise {
			b := r.IntN(256)
			h[b/8] ^= 1 << (b % 8)
		}
		v = append(v, hashing.VPDQFrame{Frame: i, Time: time.Duration(t * float64(time.Second)), Quality: 90, Hash: h})
	}
	return v
}

func compare(p, r hashing.VPDQ) hashing.VPDQComparison {
	return hashing.CompareVPDQ(p, r, hashing.DefaultVPDQOptions())
}

// off is how wrong a segment is about a time of the reference, in seconds.
func off(s hashing.VideoSegment, from float64) float64 {
	return math.Abs(s.Offset().Seconds() - from)
}

func TestClipIsFoundInAnHour(t *testing.T) {
	t.Parallel()
	f := newFilm(1, 3600, 12)
	hour := f.sample(0, 3600, 1, 1, 4, 1)
	for i, from := range []float64{0, 0.5, 61.25, 1234.4, 1800.75, 3000.1, 3596.9} {
		c := compare(f.sample(from, 3, 0.5, 1, 4, uint64(i+2)), hour)
		if len(c.Segments) != 1 || off(c.Segments[0], from) > 0.5 {
			t.Errorf("a clip from second %v: %+v", from, c.Segments)
		}
	}
	if c := compare(newFilm(2, 3, 12).sample(0, 3, 0.5, 1, 0, 1), hour); len(c.Segments) != 0 || c.ProbeNear != 0 || c.ReferenceNear != 0 {
		t.Errorf("another film is near: %+v", c)
	}
}

// TestClipOfMovingFootage has a film in which frames a tenth of a second apart are 30
// bits apart, as of a camera that is held by hand: only a clip whose every frame is hashed
// has the samples of the hour among them.
func TestClipOfMovingFootage(t *testing.T) {
	t.Parallel()
	f := newFilm(8, 1200, 300)
	long := f.sample(0, 1200, 1, 1, 4, 1)
	for i, from := range []float64{0.4, 61.27, 834.51, 1150.93} {
		c := compare(f.sample(from, 3, 1.0/30, 1, 4, uint64(i+2)), long)
		if len(c.Segments) == 0 || off(c.Segments[0], from) > 0.15 || c.Segments[0].Frames < 3 || len(c.Segments) > 1 {
			t.Errorf("a clip from second %v: %+v", from, c.Segments)
		}
	}
}

func TestSharesAreOfEitherVideo(t *testing.T) {
	t.Parallel()
	f := newFilm(3, 100, 0)
	whole, clip := f.sample(0, 100, 1, 1, 0, 1), f.sample(20, 25, 1, 1, 0, 2)
	for i := range 5 {
		whole[40+i].Quality = 49 // of the clip, seconds 20 to 24
	}
	c := compare(clip, whole)
	if c.ReferenceLow != 5 || c.ReferenceFrames != 95 || c.ProbeFrames != 25 || c.ProbeLow != 0 {
		t.Errorf("%+v", c)
	}
	near := func(a, b hashing.VPDQ) (n int) {
		for _, x := range a {
			for _, y := range b {
				if x.Quality >= 50 && y.Quality >= 50 && x.Hash.Distance(y.Hash) <= 31 {
					n++
					break
				}
			}
		}
		return n
	}
	if c.ProbeNear != near(clip, whole) || c.ReferenceNear != near(whole, clip) || c.Nearest != 0 {
		t.Errorf("%d and %d frames are near, one by one %d and %d", c.ProbeNear, c.ReferenceNear, near(clip, whole), near(whole, clip))
	}
	back := compare(whole, clip)
	if back.ProbePercent() != c.ReferencePercent() || back.ReferencePercent() != c.ProbePercent() {
		t.Errorf("turned around, the shares are %v and %v, not %v and %v", back.ProbePercent(), back.ReferencePercent(), c.ReferencePercent(), c.ProbePercent())
	}
}

func TestDistanceIsInclusive(t *testing.T) {
	t.Parallel()
	a := hashing.VPDQ{{Quality: 100, Hash: hashing.PDQ{1}}}
	for _, tt := range []struct{ bits, near int }{{31, 1}, {32, 0}} {
		b := hashing.VPDQ{{Quality: 100, Hash: a[0].Hash}}
		for i := range tt.bits {
			b[0].Hash[4+i/8] ^= 1 << (i % 8)
		}
		if c := compare(a, b); c.ProbeNear != tt.near || len(c.Segments) != tt.near || c.Nearest != tt.bits {
			t.Errorf("%d bits: %+v", tt.bits, c)
		}
	}
}

func TestAlignment(t *testing.T) {
	t.Parallel()
	f := newFilm(4, 600, 6)
	still := newFilm(5, 1, 0)
	join := func(parts ...hashing.VPDQ) (v hashing.VPDQ) {
		for _, p := range parts {
			at, n := time.Duration(0), len(v)
			if n > 0 {
				at = v[n-1].Time + time.Second
			}
			for _, x := range p {
				x.Time, x.Frame = x.Time+at, n+x.Frame
				v = append(v, x)
			}
		}
		return v
	}
	whole := f.sample(0, 600, 1, 1, 3, 1)
	type want struct{ probe, reference, length, speed float64 }
	for _, tt := range []struct {
		name             string
		probe, reference hashing.VPDQ
		want             []want
		static           bool
	}{
		{"the same video", whole, whole, []want{{0, 0, 599, 1}}, false},
		{"4% faster than the reference", f.sample(0, 500, 1, 1.04, 3, 2), whole, []want{{0, 0, 499, 1.04}}, false},
		{"slower, from a second between samples", f.sample(100.6, 300, 1, 0.96, 3, 3), whole, []want{{0, 100.6, 299, 0.96}}, false},
		{"two scenes in another order", join(f.sample(300, 40, 1, 1, 3, 4), f.sample(50, 30, 1, 1, 3, 5)), whole, []want{{0, 300, 39, 1}, {40, 50, 29, 1}}, false},
		{"a stretch that comes twice", f.sample(100, 20, 1, 1, 3, 6), join(f.sample(90, 40, 1, 1, 3, 7), newFilm(6, 60, 5).sample(0, 60, 1, 1, 0, 1), f.sample(95, 40, 1, 1, 3, 8)),
			[]want{{0, 10, 19, 1}, {0, 105, 19, 1}}, false},
		{"behind a picture that stands still", join(still.sample(0, 30, 1, 1, 2, 9), f.sample(200, 10, 1, 1, 3, 10)), join(still.sample(0, 90, 1, 1, 2, 11), f.sample(150, 100, 1, 1, 3, 12)),
			[]want{{30, 140, 9, 1}}, false},
		{"nothing but a picture that stands still", still.sample(0, 20, 1, 1, 2, 13), still.sample(0, 90, 1, 1, 2, 14), nil, true},
		{"sampled more densely", f.sample(77.7, 12, 0.25, 1, 3, 15), whole, []want{{0, 77.7, 11.75, 1}}, false},
		{"sampled at keyframes, ten seconds apart", whole, f.sample(0, 600, 10, 1, 3, 16), []want{{0, 0, 599, 1}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := compare(tt.probe, tt.reference)
			if tt.static && (len(c.Segments) != 1 || !c.Segments[0].Static || c.Segments[0].Frames != len(tt.probe)) {
				t.Fatalf("%+v", c.Segments)
			}
			for _, w := range tt.want {
				found := false
				for _, s := range c.Segments {
					start := math.Abs(s.ReferenceFrom.Seconds() - (w.reference + (s.ProbeFrom.Seconds()-w.probe)*w.speed))
					end := math.Abs(s.ReferenceTo.Seconds() - (w.reference + (s.ProbeTo.Seconds()-w.probe)*w.speed))
					length := (s.ProbeTo - s.ProbeFrom).Seconds()
					found = found || start <= 0.5 && end <= 0.5 && length >= 0.75*w.length-1 && length <= w.length+1.5 && math.Abs(s.Speed-w.speed) < 0.01 && !s.Static
				}
				if !found {
					t.Errorf("no segment is %+v: %+v", w, c.Segments)
				}
			}
		})
	}
}

// TestLongestSegmentAgainstEveryOffset holds the alignment to a search of all offsets
// that two samples can have.
func TestLongestSegmentAgainstEveryOffset(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		f := newFilm(100+seed, 200, 5)
		r := rand.New(rand.NewPCG(seed, 9))
		from := 150 * r.Float64()
		p, q := f.sample(from, 5+20*r.Float64(), 1, 1, 6, seed), f.sample(0, 200, 1, 1, 6, seed+50)
		best := 0
		for _, x := range p {
			for _, y := range q {
				n := 0
				for _, a := range p {
					for _, b := range q {
						if math.Abs((b.Time-a.Time-y.Time+x.Time).Seconds()) < 0.01 && a.Hash.Distance(b.Hash) <= 31 {
							n++
						}
					}
				}
				best = max(best, n)
			}
		}
		c := compare(p, q)
		if len(c.Segments) == 0 || c.Segments[0].Frames < best || off(c.Segments[0], from) > 0.5 {
			t.Errorf("from %.2f: %d frames agree on one offset, and the segments are %+v", from, best, c.Segments)
		}
	}
}

func TestUpstreamVideosAlign(t *testing.T) {
	t.Parallel()
	list := map[string]hashing.VPDQ{}
	for _, path := range samples(t, "vpdq-sample-hashes/pattern-*.txt") {
		v, err := hashing.ParseVPDQ(readFile(t, path))
		if err != nil {
			t.Fatal(err)
		}
		list[filepath.Base(path)] = v
	}
	for a, v := range list {
		for b, w := range list {
			c := compare(v, w)
			if strings.TrimSuffix(a, "-128x128.txt") == strings.TrimSuffix(b, ".txt") {
				if s := c.Segments; len(s) == 0 || off(s[0], 0) > 0.1 || c.ProbePercent() < 95 || c.ReferencePercent() < 95 {
					t.Errorf("%s and %s: %.0f and %.0f percent, %+v", a, b, c.ProbePercent(), c.ReferencePercent(), s)
				}
			}
			if back := compare(w, v); back.ProbeNear != c.ReferenceNear || back.Nearest != c.Nearest {
				t.Errorf("%s and %s: %+v turned around is %+v", a, b, c, back)
			}
		}
	}
}

func BenchmarkClipInAnHour(b *testing.B) {
	f := newFilm(1, 3600, 12)
	hour, clip := f.sample(0, 3600, 1, 1, 4, 1), f.sample(1234.4, 3, 0.5, 1, 4, 2)
	for b.Loop() {
		compare(clip, hour)
	}
}

func BenchmarkTwoHours(b *testing.B) {
	f := newFilm(1, 3600, 12)
	p, q := f.sample(0, 3600, 1, 1, 4, 1), f.sample(0.5, 3600, 1, 1, 4, 2)
	for b.Loop() {
		compare(p, q)
	}
}
