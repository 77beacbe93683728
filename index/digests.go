package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"

	"semblance"
)

// A digests is a segment of values that are equal or not: sorted, with a table of
// where each leading bit pattern begins, so that a look-up touches a few cache
// lines. Values that are not spread evenly only make it a plain binary search.
type digests struct {
	list
	shift  int
	starts []uint32 // of each pattern of leading bits; one more than there are patterns
}

// newDigests sorts the list and keeps it.
func newDigests(l list) *digests {
	order := make([]int32, len(l.ids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if c := bytes.Compare(l.value(int(a)), l.value(int(b))); c != 0 {
			return c
		}
		return cmp.Compare(l.ids[a], l.ids[b])
	})
	sorted := list{width: l.width, values: make([]byte, 0, len(l.values)), ids: make([]semblance.EntryID, 0, len(l.ids))}
	for _, i := range order {
		sorted.add(l.value(int(i)), l.ids[i])
	}
	d := &digests{list: sorted}
	d.index()
	return d
}

// index makes the table of starts, with about four values to a pattern.
func (d *digests) index() {
	patterns := max(1, bits.Len(uint(len(d.ids)))-2)
	d.shift = 32 - patterns
	d.starts = make([]uint32, 1<<patterns+1)
	for i := range d.ids {
		d.starts[d.pattern(d.value(i))+1]++
	}
	for i := 1; i < len(d.starts); i++ {
		d.starts[i] += d.starts[i-1]
	}
}

// pattern returns the leading bits of a value.
func (d *digests) pattern(v []byte) uint32 { return binary.BigEndian.Uint32(v) >> d.shift }

// within implements segment; the radius of digests is 0.
func (d *digests) within(value []byte, _ int, out []near) []near {
	p := d.pattern(value)
	from, to := int(d.starts[p]), int(d.starts[p+1])
	from += sort.Search(to-from, func(i int) bool { return bytes.Compare(d.value(from+i), value) >= 0 })
	for ; from < to && bytes.Equal(d.value(from), value); from++ {
		out = append(out, near{d.ids[from], 0})
	}
	return out
}

func (d *digests) len() int { return len(d.ids) }

func (d *digests) appendTo(l *list) {
	l.values = append(l.values, d.values...)
	l.ids = append(l.ids, d.ids...)
}
