//go:build cgo && native

package main

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// groupNames are names of testdata/faces that are not one person's photographs.
func groupNames() []string { return []string{"jimin", "yujin", "pristin"} }

// a sample is a person's embedding; nil when no face was found.
type sample struct {
	person    string
	embedding []float32
}

// singers embeds the largest face of each photograph whose name is one person.
func singers(t testing.TB, e semblance.FaceFinder) []sample {
	var list []sample
	for _, path := range pictures(t, "faces/*.jpg") {
		person := strings.TrimRight(strings.TrimSuffix(filepath.Base(path), ".jpg"), "0123456789")
		if slices.Contains(groupNames(), person) {
			continue
		}
		faces, err := e.Find(load(t, path), semblance.FindOptions{})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		s := sample{person: person}
		if f := largest(faces); f != nil {
			s.embedding = f.Embedding
		} else {
			t.Logf("%s: no searchable face", filepath.Base(path))
		}
		list = append(list, s)
	}
	return list
}

// pairs returns distances of mated and non-mated pairs.
func pairs(m semblance.Metric, list []sample) (mated, other []float64) {
	for i, a := range list {
		for _, b := range list[i+1:] {
			if a.embedding == nil || b.embedding == nil {
				continue
			}
			d := m.Distance(a.embedding, b.embedding)
			if a.person == b.person {
				mated = append(mated, d)
			} else {
				other = append(other, d)
			}
		}
	}
	return mated, other
}

// bootstrap returns the 2.5% and 97.5% points of the AUC when persons are drawn
// again with replacement. A person drawn twice is not its own impostor.
func bootstrap(m semblance.Metric, list []sample) (lo, hi float64) {
	byPerson := map[string][]sample{}
	var names []string
	for _, s := range list {
		if byPerson[s.person] == nil {
			names = append(names, s.person)
		}
		byPerson[s.person] = append(byPerson[s.person], s)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var values []float64
	for range 1000 {
		var mated, other []float64
		var drawn []string
		for range names {
			drawn = append(drawn, names[r.IntN(len(names))])
		}
		for i, a := range drawn {
			within, _ := pairs(m, byPerson[a])
			mated = append(mated, within...)
			for _, b := range drawn[i+1:] {
				if a == b {
					continue
				}
				for _, x := range byPerson[a] {
					for _, y := range byPerson[b] {
						if x.embedding != nil && y.embedding != nil {
							other = append(other, m.Distance(x.embedding, y.embedding))
						}
					}
				}
			}
		}
		if len(mated) > 0 {
			values = append(values, auc(mated, other))
		}
	}
	slices.Sort(values)
	return values[len(values)*25/1000], values[len(values)*975/1000]
}

// TestAccuracy is the promise of the default engine on photographs that are hard
// (one population, make-up, stage light), and what the others do beside it.
func TestAccuracy(t *testing.T) {
	least := map[semblance.EngineName]float64{semblance.YuNetMobileFaceNet: 0.90, semblance.YuNetDlib: 0.6, semblance.DlibHOG: 0.6}
	for _, spec := range semblance.Engines() {
		t.Run(string(spec.Name), func(t *testing.T) {
			e := open(t, spec.Name)
			list := singers(t, e)
			mated, other := pairs(spec.Metric, list)
			got := auc(mated, other)
			lo, hi := bootstrap(spec.Metric, list)
			below := 0
			for _, d := range other {
				if d <= spec.Distance {
					below++
				}
			}
			found := 0
			for _, d := range mated {
				if d <= spec.Distance {
					found++
				}
			}
			t.Logf("AUC %.3f (95%% of bootstraps over persons %.3f to %.3f), %d mated and %d non-mated pairs; at %.2f %d mated and %d non-mated",
				got, lo, hi, len(mated), len(other), spec.Distance, found, below)
			if got < least[spec.Name] {
				t.Errorf("AUC %.3f, want at least %.2f", got, least[spec.Name])
			}
		})
	}
}
