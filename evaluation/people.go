package evaluation

import (
	"cmp"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"

	"semblance"
)

// people are samples by person, ready to be compared.
type people struct {
	spec     semblance.EngineSpec
	samples  []Sample
	of       []int // the person of each sample
	persons  []string
	first    []int // the sample of each person that is enrolled: the first by name
	place    []int // of each person in the order that galleries are cut from
	order    []int // the persons in that order
	distance [][]float32
	copied   map[[2]int]Copy // persons a < b that have a photograph in common
	sameFace int             // mated pairs that are copies
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// newPeople compares every sample with every other. samples are sorted.
func newPeople(samples []Sample, spec semblance.EngineSpec) *people {
	p := &people{spec: spec, samples: samples, copied: map[[2]int]Copy{}}
	for i, s := range samples {
		if i == 0 || samples[i-1].Person != s.Person {
			p.persons, p.first = append(p.persons, s.Person), append(p.first, i)
		}
		p.of = append(p.of, len(p.persons)-1)
	}
	p.distance = make([][]float32, len(samples))
	forEach(len(samples), func(i int) {
		row := make([]float32, i)
		for j := range row {
			row[j] = float32(semblance.RoundDistance(spec.Metric.Distance(samples[i].Vector, samples[j].Vector)))
		}
		p.distance[i] = row
	})
	p.findCopies()
	p.shuffle()
	return p
}

// at is the distance of two samples, rounded.
func (p *people) at(i, j int) float64 {
	switch {
	case i == j:
		return 0
	case i < j:
		i, j = j, i
	}
	return semblance.RoundDistance(float64(p.distance[i][j]))
}

func (p *people) findCopies() {
	for i, row := range p.distance {
		for j := range row {
			d := p.at(i, j)
			if d > p.spec.CopyDistance() {
				continue
			}
			a, b := p.of[j], p.of[i] // sorted: a <= b
			if a == b {
				p.sameFace++
				continue
			}
			c := Copy{A: p.samples[j].label(), B: p.samples[i].label(), Distance: d}
			if had, ok := p.copied[[2]int{a, b}]; !ok || compareCopies(c, had) < 0 {
				p.copied[[2]int{a, b}] = c
			}
		}
	}
}

func (s Sample) label() string {
	if s.Name == "" {
		return s.Person
	}
	return s.Name
}

func compareCopies(a, b Copy) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.A, b.A), strings.Compare(a.B, b.B))
}

func (p *people) copyList() []Copy {
	out := slices.AppendSeq([]Copy{}, maps.Values(p.copied))
	slices.SortFunc(out, compareCopies)
	return out
}

// areCopies says whether two different persons have a photograph in common.
func (p *people) areCopies(a, b int) bool {
	_, is := p.copied[[2]int{min(a, b), max(a, b)}]
	return is
}

// shuffle puts the persons into an order that depends on their names only. The gallery
// of N that a person is searched in are the N that follow in it, round and round: every
// person is in as many galleries as every other.
func (p *people) shuffle() {
	hash := make([]uint64, len(p.persons))
	p.order = make([]int, len(p.persons))
	for i, name := range p.persons {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name))
		hash[i], p.order[i] = mix(h.Sum64()), i
	}
	slices.SortFunc(p.order, func(a, b int) int { return cmp.Or(cmp.Compare(hash[a], hash[b]), cmp.Compare(a, b)) })
	p.place = make([]int, len(p.persons))
	for at, person := range p.order {
		p.place[person] = at
	}
}

// mix spreads what FNV leaves together for names that differ in their last letter
// (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// maxPairs is how many non-mated pairs are looked at; of more, a part is drawn that
// depends on the samples' order only.
const maxPairs = 2_000_000

// pairs lists mated and non-mated pairs of samples.
func (p *people) pairs() []pair {
	all := len(p.samples) * (len(p.samples) - 1) / 2
	keep := uint64(math.MaxUint64)
	if all > maxPairs {
		keep = uint64(float64(maxPairs) / float64(all) * math.MaxUint64)
	}
	var out []pair
	for i, row := range p.distance {
		for j := range row {
			a, b := p.of[i], p.of[j]
			switch {
			case a == b:
			case p.areCopies(a, b):
				continue
			case mix(uint64(i)<<32|uint64(j)) > keep:
				continue
			}
			out = append(out, pair{a, b, p.at(i, j)})
		}
	}
	return out
}
