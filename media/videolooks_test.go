package media

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// shot fills the grid as a scene of a number does, a little otherwise in each frame.
func shot(scene, frame int) []byte {
	gray := make([]byte, graySize)
	for i := range gray {
		gray[i] = byte(60*scene%200 + (i*(scene+3))%40 + (i+frame)%3)
	}
	return gray
}

// play plays scenes at 25 frames a second, each so many frames long, and returns when
// frames are taken.
func play(l *Looker, scenes ...int) (taken []time.Duration, cuts []bool) {
	n := 0
	for scene, frames := range scenes {
		for range frames {
			f := VideoFrame{Index: n, Time: time.Duration(n) * time.Second / 25}
			if take, cut := l.Take(f, shot(scene, n)); take {
				taken, cuts = append(taken, f.Time), append(cuts, cut)
			}
			n++
		}
	}
	return taken, cuts
}

func TestLooker(t *testing.T) {
	t.Parallel()
	const frame = time.Second / 25
	taken, cuts := play(NewLooker(1000, 4*time.Second), 40, 9, 51)
	want := []time.Duration{0, 13 * frame, 26 * frame, 39 * frame, 44 * frame, 49 * frame, 62 * frame, 75 * frame, 88 * frame}
	if !slices.Equal(taken, want) || !slices.Equal(cuts, []bool{true, false, false, false, true, true, false, false, false}) {
		t.Errorf("%v, %v, want %v", taken, cuts, want)
	}
	l := NewLooker(1000, 4*time.Second)
	if play(l, 40, 9, 51); l.Scenes() != 3 {
		t.Errorf("%d scenes", l.Scenes())
	}
}

// TestLookerIsBounded gives it videos that are long, longer than they say, say nothing,
// or change all the time.
func TestLookerIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		header, length time.Duration
		flicker        bool
		least          int
	}{
		{"ten hours", 10 * time.Hour, 10 * time.Hour, false, 120},
		{"ten hours that flicker", 10 * time.Hour, 10 * time.Hour, true, 120},
		{"no length, ten hours", 0, 10 * time.Hour, true, 200},
		{"a minute that lasts ten hours", time.Minute, 10 * time.Hour, true, 200},
		{"ten hours by the header, and one minute", 10 * time.Hour, time.Minute, false, 1},
		{"one minute", time.Minute, time.Minute, false, 100},
	} {
		l := NewLooker(300, tt.header)
		var last time.Duration
		early := 0
		step := tt.length / 20_000
		for i := range 20_000 {
			scene := 0
			if tt.flicker {
				scene = i % 2
			}
			f := VideoFrame{Index: i, Time: time.Duration(i) * step}
			if take, _ := l.Take(f, shot(scene, i)); take {
				if last = f.Time; f.Time < tt.length/2 {
					early++
				}
			}
		}
		n, _ := l.Taken()
		if n > 300 || n < tt.least || early == n && n > 1 || tt.length-last > tt.length/4 && n > 1 {
			t.Errorf("%s: %d looks, %d of them in the first half, the last at %v", tt.name, n, early, last)
		}
	}
}

func TestRoll(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 9, 19, 20, 21, 500, 100_000} {
		r := NewRoll[int](10)
		for i := range n {
			if r.Wants() {
				r.Keep(i)
			} else {
				r.Skip()
			}
		}
		if len(r.Items) < min(n, 10) || len(r.Items) >= 20 {
			t.Fatalf("%d of %d are kept", len(r.Items), n)
		}
		for i, x := range r.Items {
			if step := r.Items[min(1, len(r.Items)-1)]; x != i*step {
				t.Fatalf("of %d: %v", n, r.Items)
			}
		}
	}
}

func TestPlacesAndTimesOfTags(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][2]float64{
		"+48.8584+002.2945/": {48.8584, 2.2945}, "-33.8568+151.2153+012.345/": {-33.8568, 151.2153}, "+4851.504+00217.670/": {48.8584, 2.2945},
		"+404126.4-0740200/": {40.690666666666665, -74.03333333333333},
	} {
		if lat, lon, ok := parseLocation(s); !ok || lat != want[0] || lon != want[1] {
			t.Errorf("%s: %v %v %v", s, lat, lon, ok)
		}
	}
	for _, s := range []string{"", "+", "48.8,2.2", "+91+000/", "+10+181/", "+1.5+2.5/", "+1060+02060/", "+48.85", "+4.8.8+002"} {
		if lat, lon, ok := parseLocation(s); ok {
			t.Errorf("%q is at %v, %v", s, lat, lon)
		}
	}
	for s, want := range map[string]string{
		"2019-05-04T10:11:12.000000Z": "2019-05-04T10:11:12Z", "2019-05-04T10:11:12+0200": "2019-05-04T10:11:12+02:00", "2019-05-04 10:11:12": "2019-05-04T10:11:12",
		"1904-01-01T00:00:00.000000Z": "", "yesterday": "", "": "",
	} {
		if got := madeAt(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzPlaceOfTag(f *testing.F) {
	f.Add("+48.8584+002.2945/")
	f.Add("-4851.504-00217.670+8848CRSWGS_84/")
	f.Fuzz(func(t *testing.T, s string) {
		lat, lon, ok := parseLocation(s)
		if ok && !(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180) {
			t.Errorf("%q is at %v, %v", s, lat, lon)
		}
		madeAt(s)
	})
}

func TestSniffMoreVideos(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"DHAV\xfd\x00": "video/x-dhav", "\x00\x00\x00\x01\x67\x42\x00": "video/h264", "\x00\x00\x00\x01\x40\x01\x0c": "video/h265", "DKIF\x00\x00\x20\x00": "video/x-ivf",
		"\x1f\x07\x00\x3f": "video/x-dv", "YUV4MPEG2 W64": "video/x-yuv4mpeg", "\x00\x00\x01\xb0\x01": "video/mp4v-es",
	} {
		if got := Sniff(append([]byte(head), bytes.Repeat([]byte{0xfe}, 40)...)); got != want || !IsVideo(got) {
			t.Errorf("%q: %s, want %s", head, got, want)
		}
	}
}
