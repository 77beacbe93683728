//go:build cgo && native

package main

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sort"
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

// singers embeds the photographs whose name is one person: the hard set.
func singers(t testing.TB, e semblance.FaceFinder) []sample {
	return embedded(t, e, "faces/*.jpg", func(path string) string {
		person := strings.TrimRight(strings.TrimSuffix(filepath.Base(path), ".jpg"), "0123456789")
		if slices.Contains(groupNames(), person) {
			return ""
		}
		return person
	})
}

// johns embeds five men's portraits: the easy set.
func johns(t testing.TB, e semblance.FaceFinder) []sample {
	return embedded(t, e, "johns/*/*.jpg", func(path string) string { return filepath.Base(filepath.Dir(path)) })
}

// embedded embeds the largest face of each photograph of a person.
func embedded(t testing.TB, e semblance.FaceFinder, pattern string, person func(path string) string) []sample {
	var list []sample
	for _, path := range pictures(t, pattern) {
		s := sample{person: person(path)}
		if s.person == "" {
			continue
		}
		faces, err := e.Find(load(t, path), semblance.FindOptions{})
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
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
// (one population, make-up, stage light), and what the others do beside it. No
// parameter was chosen on these.
func TestAccuracy(t *testing.T) {
	least := map[semblance.EngineName]float64{semblance.YuNetMobileFaceNet: 0.93, semblance.MTCNNMobileFaceNet: 0.85, semblance.YuNetDlib: 0.6, semblance.DlibHOG: 0.6}
	for _, spec := range semblance.Engines() {
		t.Run(string(spec.Name), func(t *testing.T) {
			checkAUC(t, spec, singers(t, open(t, spec.Name)), least[spec.Name])
		})
	}
}

// TestAccuracyOnPortraits is a floor: every engine separates these.
func TestAccuracyOnPortraits(t *testing.T) {
	for _, spec := range semblance.Engines() {
		t.Run(string(spec.Name), func(t *testing.T) {
			checkAUC(t, spec, johns(t, open(t, spec.Name)), 1)
		})
	}
}

func checkAUC(t *testing.T, spec semblance.EngineSpec, list []sample, least float64) {
	t.Helper()
	mated, other := pairs(spec.Metric, list)
	got := auc(mated, other)
	lo, hi := bootstrap(spec.Metric, list)
	slices.Sort(mated)
	slices.Sort(other)
	t.Logf("AUC %.4f (95%% of bootstraps over persons %.3f to %.3f), %d mated and %d non-mated pairs", got, lo, hi, len(mated), len(other))
	for _, d := range []float64{spec.Distance, spec.Distance + 0.05} {
		t.Logf("at %.2f: %d mated and %d non-mated", d, sort.SearchFloat64s(mated, d), sort.SearchFloat64s(other, d))
	}
	if got < least {
		t.Errorf("AUC %.4f, want at least %.2f", got, least)
	}
}
