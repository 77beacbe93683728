//go:build cgo && native

package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"semblance"
)

// A trial is a degraded picture of a person, compared with the whole gallery.
type trial struct {
	degradation   string
	quality       float64
	labels        []string
	mated, others []float64
	lost          bool // not found, or not searchable
}

// A portrait is a picture of the gallery, as it is.
type portrait struct {
	person string
	frame  *semblance.Frame
	face   *semblance.Face
}

// gallery is the 55 portraits of johns, and every searchable face of the groups as
// a person of its own: non-mates only.
func gallery(t *testing.T, e semblance.FaceFinder) (known, others []portrait) {
	for _, path := range pictures(t, "johns/*/*.jpg") {
		f := load(t, path)
		if face := largest(find(t, e, f)); face != nil {
			known = append(known, portrait{filepath.Base(filepath.Dir(path)), f, face})
		}
	}
	for _, path := range pictures(t, "groups/2*.jpg") {
		for i, face := range find(t, e, load(t, path)) {
			if face.Searchable() {
				others = append(others, portrait{fmt.Sprintf("%s %d", filepath.Base(path), i), nil, &face})
			}
		}
	}
	if len(known) < 55 || len(others) < 30 {
		t.Fatalf("a gallery of %d and %d faces", len(known), len(others))
	}
	return known, others
}

func find(t *testing.T, e semblance.FaceFinder, f *semblance.Frame) []semblance.Face {
	t.Helper()
	faces, err := e.Find(f, semblance.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return faces
}

func trials(t *testing.T, e semblance.FaceFinder) []trial {
	known, others := gallery(t, e)
	var list []trial
	for i, p := range known {
		for _, d := range degradations() {
			f := d.make(p.frame, float64(max(p.face.Box.W, p.face.Box.H)))
			if f == nil {
				continue
			}
			one := trial{degradation: d.name}
			found := find(t, e, f)
			face := largest(found)
			one.lost = face == nil
			if face == nil {
				list = append(list, one)
				continue
			}
			one.quality, one.labels = float64(face.Quality), face.Reliability()
			for j, q := range append(known[:len(known):len(known)], others...) {
				distance := semblance.Cosine.Distance(face.Embedding, q.face.Embedding)
				switch {
				case i == j:
				case q.person == p.person:
					one.mated = append(one.mated, distance)
				default:
					one.others = append(one.others, distance)
				}
			}
			list = append(list, one)
		}
	}
	return list
}

// fnmr is the share of mated pairs beyond a distance.
func fnmr(list []trial, distance float64) float64 {
	missed, all := 0, 0
	for _, x := range list {
		for _, d := range x.mated {
			all++
			if d > distance {
				missed++
			}
		}
	}
	return float64(missed) / float64(max(1, all))
}

// TestQualityPredictsErrors degrades portraits and throws the faces of lowest quality
// away, step by step, as ISO/IEC 29794-1 does: the error rate at one fixed distance
// falls. Faces that carry a label are worse than those that carry none. No labelled
// face is lost for its label. docs/accuracy.md has the numbers that -v prints.
func TestQualityPredictsErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	all := trials(t, open(t, semblance.YuNetMobileFaceNet))
	found := slices.DeleteFunc(slices.Clone(all), func(x trial) bool { return x.lost })
	var others []float64
	for _, x := range found {
		others = append(others, x.others...)
	}
	slices.Sort(others)
	distance := others[len(others)/1000]
	t.Logf("%d degraded pictures, %d searchable, %d non-mated pairs; FMR 0.1%% at %.3f", len(all), len(found), len(others), distance)
	logGroups(t, all, distance)

	slices.SortStableFunc(found, func(a, b trial) int { return cmp.Compare(a.quality, b.quality) })
	curve := ""
	for _, cut := range []float64{0, 0.05, 0.1, 0.2, 0.3, 0.4} {
		curve += fmt.Sprintf(" %.0f%%: %.2f%%", 100*cut, 100*fnmr(found[int(cut*float64(len(found))):], distance))
	}
	t.Logf("FNMR after discarding the lowest:%s", curve)
	whole := fnmr(found, distance)
	for _, c := range []struct{ cut, most float64 }{{0.2, 0.6}, {0.4, 0.4}} {
		if kept := fnmr(found[int(c.cut*float64(len(found))):], distance); whole == 0 || kept > c.most*whole {
			t.Errorf("without the %.0f%% of lowest quality %.4f of the mated pairs are missed, with them %.4f", 100*c.cut, kept, whole)
		}
	}
	labelled := func(x trial) bool { return len(x.labels) > 0 }
	plain, warned := fnmr(slices.DeleteFunc(slices.Clone(found), labelled), distance), fnmr(slices.DeleteFunc(slices.Clone(found), func(x trial) bool { return !labelled(x) }), distance)
	t.Logf("FNMR of faces without a label %.2f%%, with one %.2f%%", 100*plain, 100*warned)
	if warned <= plain {
		t.Errorf("labels warn of nothing: %.4f missed without one, %.4f with one", plain, warned)
	}
}

// logGroups prints the rates by degradation, band of quality and label.
func logGroups(t *testing.T, all []trial, distance float64) {
	groups := map[string][]trial{}
	for _, x := range all {
		groups["degradation "+x.degradation] = append(groups["degradation "+x.degradation], x)
		if x.lost {
			continue
		}
		band := fmt.Sprintf("quality %2.0f to %.0f", float64(int(min(x.quality, 99)/20)*20), float64(int(min(x.quality, 99)/20)*20+20))
		groups[band] = append(groups[band], x)
		for _, l := range append(x.labels[:len(x.labels):len(x.labels)], "none")[:max(1, len(x.labels))] {
			groups["label "+l] = append(groups["label "+l], x)
		}
	}
	var names []string
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		g := groups[name]
		lost := 0
		var others, quality []float64
		for _, x := range g {
			others = append(others, x.others...)
			if x.lost {
				lost++
			} else {
				quality = append(quality, x.quality)
			}
		}
		slices.Sort(others)
		slices.Sort(quality)
		if len(quality) == 0 {
			t.Logf("%-32s %3d faces, all lost", name, len(g))
			continue
		}
		t.Logf("%-32s %3d faces, %2d lost, median quality %3.0f, FNMR %.2f%%, FMR %.3f%% at %.3f and %.3f%% at 0.5", name, len(g), lost, quality[len(quality)/2],
			100*fnmr(g, distance), share(others, distance), distance, share(others, 0.5))
	}
}

// share is how many of sorted distances are at most a distance, in percent.
func share(sorted []float64, distance float64) float64 {
	return 100 * float64(sort.SearchFloat64s(sorted, distance)) / float64(max(1, len(sorted)))
}
