//go:build cgo && native

package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/detector"
	"semblance/media"
)

// A film is a video made of photographs of testdata/faces, and when each of them is
// seen.
type film struct {
	name    string
	path    string
	appears []appears
}

// appears says that the face of a photograph is seen from a second to another.
type appears struct {
	photograph  string
	person      string
	from, until float64
}

// portraits are the photographs of one person each.
func portraits(t testing.TB) (list []appears) {
	for _, path := range pictures(t, "faces/*.jpg") {
		person := strings.TrimRight(strings.TrimSuffix(filepath.Base(path), ".jpg"), "0123456789")
		if !slices.Contains(groupNames(), person) {
			list = append(list, appears{photograph: path, person: person})
		}
	}
	// Two photographs of one person that follow each other would be one appearance.
	mixed := make([]appears, 0, len(list))
	for i := range 3 {
		for j := i; j < len(list); j += 3 {
			mixed = append(mixed, list[j])
		}
	}
	return mixed
}

// record makes a film of photographs with ffmpeg, which shows them one after the other,
// each for so long, by a filter whose result is 640 by 360 pixels at 25 frames a second.
func record(t testing.TB, name string, list []appears, each float64, filter func(i int) string, join string, quality ...string) film {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed: no videos can be made to test with")
	}
	f := film{name: name, path: filepath.Join(t.TempDir(), name+".mp4")}
	args, graph, ends := []string{"-nostdin", "-loglevel", "error"}, "", ""
	for i, a := range list {
		args = append(args, "-loop", "1", "-framerate", "25", "-t", fmt.Sprint(each), "-i", a.photograph)
		graph += fmt.Sprintf("[%d:v]%s,setsar=1,format=yuv420p[v%d];", i, filter(i), i)
		ends += fmt.Sprintf("[v%d]", i)
		a.from, a.until = float64(i)*each, float64(i+1)*each
		f.appears = append(f.appears, a)
	}
	graph += ends + fmt.Sprintf("concat=n=%d:v=1:a=0%s", len(list), join)
	args = append(args, "-filter_complex", graph, "-r", "25", "-c:v", "libx264", "-preset", "veryfast")
	if out, err := exec.Command(program, append(append(args, quality...), f.path)...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return f
}

// films are those that what is done with faces was chosen on.
func films(t testing.TB) []film {
	list := portraits(t)[:12]
	fit := func(int) string { return "scale=640:360:force_original_aspect_ratio=decrease,pad=640:360:-1:-1" }
	pass := func(speed float64) func(int) string {
		return func(int) string { // a picture goes through a dull room
			return fmt.Sprintf("scale=-2:240[p];color=0x303038:s=640x360:r=25[b];[b][p]overlay=x='-w+%v*t*(W+w)':y=90:shortest=1", speed)
		}
	}
	passes := func(name string, each float64) film {
		return record(t, name, list, each, pass(1/each), "")
	}
	zoom := func(int) string {
		return "scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:-1:-1,zoompan=z='1+on/30':x='iw/2-iw/zoom/2':y='ih*0.3-ih*0.3/zoom':d=1:s=640x360:fps=25"
	}
	return []film{
		record(t, "cuts", list, 0.4, fit, ""),
		record(t, "flashes", list, 0.2, fit, ""),
		passes("passes 1.2 s", 1.24),
		passes("passes 0.7 s", 0.72),
		record(t, "zoom", portraits(t), 1.2, zoom, ",gblur=sigma=1.2", "-crf", "34"),
	}
}

// A frame of a film with all of its faces.
type seenFrame struct {
	frame media.VideoFrame
	gray  []byte
	faces []semblance.Face
}

// watchAll looks for faces in every frame.
func watchAll(t testing.TB, e semblance.FaceFinder, f film) (list []seenFrame) {
	t.Helper()
	file, err := os.Open(f.path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	v, err := media.OpenVideo(file, semblance.Limits{}, media.VideoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var l videoLooks
	for {
		frame, ok, err := v.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return list
		}
		gray, err := v.Gray()
		if err != nil {
			t.Fatal(err)
		}
		p, err := v.Pixels(frame)
		if err != nil {
			t.Fatal(err)
		}
		faces, err := e.Find(l.packed(p, frame.Index), semblance.FindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range faces {
			faces[i].Frame = frame.Index
		}
		list = append(list, seenFrame{frame, slices.Clone(gray), faces})
	}
}

// track gives the tracker the frames that take chooses.
func track(t testing.TB, e semblance.FaceFinder, list []seenFrame, take func(seenFrame) (bool, bool)) (faces []semblance.Face, looks int) {
	t.Helper()
	spec, _ := e.Spec()
	tracker := detector.NewTracker(spec, 1000)
	for _, w := range list {
		if ok, cut := take(w); ok {
			looks++
			if err := tracker.Add(w.frame.Time, w.faces, cut, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	faces, _ = tracker.Faces()
	return faces, looks
}

// found counts the appearances of which a track that can be searched begins and ends
// within their time.
func (f film) found(faces []semblance.Face) (n, searchable int) {
	const slack = 0.05
	for _, a := range f.appears {
		any, good := false, false
		for i := range faces {
			x := faces[i].Appearance
			if x.From >= a.from-slack && x.Until <= a.until+slack {
				any, good = true, good || faces[i].Searchable()
			}
		}
		n += b2i(any)
		searchable += b2i(good)
	}
	return n, searchable
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// BenchmarkFacesOfFilms compares the faces of chosen frames with those of every frame,
// in films made with ffmpeg of photographs of testdata/faces, and what fusing the best
// few is worth. Ten minutes of processor time:
//
//	go test -tags native ./cmd/semblance-worker -run - -bench FacesOfFilms -benchtime 1x -v
func BenchmarkFacesOfFilms(t *testing.B) {
	e := open(t, semblance.DefaultEngine)
	sum := map[string][3]int{}
	gallery := map[string][]float32{}
	for _, a := range portraits(t) {
		faces, err := e.Find(load(t, a.photograph), semblance.FindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if f := largest(faces); f != nil {
			gallery[a.photograph] = f.Embedding
		}
	}
	for _, f := range films(t) {
		start := time.Now()
		list := watchAll(t, e, f)
		if f.name == "zoom" {
			fuseMeasured(t, f, list, gallery, 6)
		}
		seconds := list[len(list)-1].frame.Time.Seconds()
		t.Logf("%s: %.1f s, %d frames, watched in %.1f s", f.name, seconds, len(list), time.Since(start).Seconds())
		for _, way := range []string{"every frame", "1s", "0.5s", "0.25s", "1s, no scenes", "0.5s, no scenes"} {
			l := media.NewLooker(100000, time.Duration(seconds*float64(time.Second)))
			var last time.Duration
			first, cutSince := true, false
			every, _ := time.ParseDuration(strings.TrimSuffix(way, ", no scenes"))
			cuts := 0
			faces, looks := track(t, e, list, func(w seenFrame) (bool, bool) {
				scenes := l.Scenes()
				l.Take(w.frame, w.gray)
				cut := l.Scenes() > scenes
				cuts += b2i(cut)
				cutSince = cutSince || cut
				switch {
				case way == "every frame" || first:
				case w.frame.Time-last >= every:
				case !strings.HasSuffix(way, "no scenes") && cutSince && w.frame.Time-last >= 200*time.Millisecond:
				default:
					return false, false
				}
				first, last, cut, cutSince = false, w.frame.Time, cutSince, false
				return true, cut
			})
			n, good := f.found(faces)
			t.Logf("  %-16s %4d looks %3d cuts: %3d tracks, %d and %d searchable of %d appearances", way, looks, cuts, len(faces), n, good, len(f.appears))
			s := sum[way]
			sum[way] = [3]int{s[0] + looks, s[1] + good, s[2] + len(f.appears)}
		}
	}
	for _, way := range slices.Sorted(maps.Keys(sum)) {
		s := sum[way]
		t.Logf("in all, %s: %d looks, %d of %d", way, s[0], s[1], s[2])
	}
}

// fuseMeasured compares how many of the best faces are fused.
func fuseMeasured(t testing.TB, f film, list []seenFrame, gallery map[string][]float32, every int) {
	for _, k := range []int{1, 2, 3, 5, 10, 100} {
		var mated, other []float64
		first, asked := 0, 0
		for _, a := range f.appears {
			var faces []semblance.Face
			for i, w := range list {
				if s := w.frame.Time.Seconds(); i%every == 0 && s >= a.from && s < a.until-0.01 {
					if l := largest(w.faces); l != nil {
						faces = append(faces, *l)
					}
				}
			}
			slices.SortStableFunc(faces, func(x, y semblance.Face) int { return cmp.Compare(y.Quality, x.Quality) })
			var vectors [][]float32
			for _, x := range faces[:min(k, len(faces))] {
				vectors = append(vectors, x.Embedding)
			}
			v := semblance.Cosine.Fuse(vectors)
			if v == nil {
				continue
			}
			bestMate, bestOther := 9.0, 9.0
			for _, b := range f.appears {
				g := gallery[b.photograph]
				if b.photograph == a.photograph || g == nil {
					continue
				}
				d := semblance.Cosine.Distance(v, g)
				if b.person == a.person {
					mated = append(mated, d)
					bestMate = min(bestMate, d)
				} else {
					other = append(other, d)
					bestOther = min(bestOther, d)
				}
			}
			if bestMate < 9 {
				asked++
				first += b2i(bestMate < bestOther)
			}
		}
		t.Logf("  fused of the best %3d, every %d: AUC %.4f, %d of %d right first; mean mated %.3f, other %.3f", k, every, auc(mated, other), first, asked, mean(mated), mean(other))
	}
}

func mean(list []float64) float64 {
	s := 0.0
	for _, x := range list {
		s += x
	}
	return s / float64(len(list))
}
