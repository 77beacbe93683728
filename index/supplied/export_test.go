package supplied

import "semblance"

// SetKernel makes an index use a kernel and a number of lanes.
func SetKernel(x *Index, kernel string, lanes int) { x.kernel, x.lanes = kernel, lanes }

// Kernels names what this processor offers, from slow to fast.
var Kernels = kernels

// SetStep makes step be called before every change of an index's folder.
func SetStep(x *Index, step func(what string) error) { x.folder.Step = step }

// Trays returns how many trays hold a collection and how many rows they have, the ones
// that are gone included.
func Trays(x *Index, c semblance.CollectionID) (trays, rows int) {
	s := x.shelf(c)
	for _, t := range s.trays {
		rows += int(t.Rows)
	}
	return len(s.trays), rows
}

// Tidy waits until nothing is being tidied.
func Tidy(x *Index) { x.work.Wait() }
