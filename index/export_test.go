package index

import (
	"context"

	"semblance"
)

// Kernels names what this processor offers, from slow to fast.
var Kernels = kernels

// SetKernel makes an index use a kernel and a number of lanes.
func SetKernel(f *Flat, kernel string, lanes int) { f.kernel, f.lanes = kernel, lanes }

// SetStep makes step be called before every change of an index's folder.
func SetStep(f *Flat, step func(what string) error) { f.folder.Step = step }

// Trays returns how many trays hold a collection and how many rows they have, the ones
// that are gone included.
func Trays(f *Flat, space semblance.EngineSpec, c semblance.CollectionID) (trays, rows int) {
	s := f.shelf(keyOf(space, c))
	for _, t := range s.trays {
		rows += int(t.Rows)
	}
	return len(s.trays), rows
}

// Tidy waits until nothing is being tidied.
func Tidy(f *Flat) { f.work.Wait() }

// HashKernels names what this processor offers for hashes, from slow to fast.
var HashKernels = hashKernels

// SetHashKernel makes an index use a kernel and a number of lanes.
func SetHashKernel(h *Hashes, kernel string, lanes int) { h.means = meansOf(kernel, lanes) }

// CompareAll makes an index compare with every value, or never.
func CompareAll(h *Hashes, always bool) {
	h.costs.alone, h.costs.among = 1e9, 1e9
	if always {
		h.costs.alone, h.costs.among = 0, 0
	}
}

// SetHashStep makes step be called before every change of an index's folder.
func SetHashStep(h *Hashes, step func(what string) error) { h.folder.Step = step }

// Segments returns how many segments hold a collection and how many rows they have, the
// ones that are gone included.
func Segments(h *Hashes, c semblance.CollectionID) (segments, rows int) {
	k := h.catalog(c)
	for _, s := range k.segments {
		rows += int(s.Rows)
	}
	return len(k.segments), rows
}

// Merged waits until nothing is being merged.
func Merged(h *Hashes) { h.work.Wait() }

// Count returns how many entries of the only segment of an index a search returns, and whether it
// began with the slots and whether those sufficed.
func Count(h *Hashes, c semblance.CollectionID, q []byte, radius int) (n int, planned, probed bool) {
	s := h.catalog(c).segments[0]
	w := loadWords(q)
	limit := h.costs.alone * float64(s.Values)
	reach, planned, err := s.plan(&w, radius, h.costs, limit)
	if planned && err == nil {
		p := prober{means: h.means}
		probed, err = p.probe(s, &w, radius, &reach, limit, 0, 0)
	}
	if err != nil {
		panic(err)
	}
	found, err := searchHashes(context.Background(), semblance.HashQuery{Values: [][]byte{q}, Radius: radius}, []heldSegment{{segment: s}}, h.means)
	if err != nil {
		panic(err)
	}
	return len(found[0]), planned, probed
}
