package index

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sort"
)

// A digests is a segment of values that are equal or not: sorted, with a table of
// where each leading bit pattern begins, so that a look-up touches a few cache
// lines. Values that are not spread evenly only make it a plain binary search.
type digests struct {
	list
	shift  int
	starts []uint32 // of each pattern of leading bits; one more than there are patterns
}

// newDigests makes a segment of a list.
func newDigests(l list) *digests {
	d := &digests{list: l.sorted()}
	patterns := max(1, bits.Len(uint(len(d.ids)))-2) // about four values each
	d.shift = 32 - patterns
	d.starts = make([]uint32, 1<<patterns+1)
	for i := range d.ids {
		d.starts[d.pattern(d.value(i))+1]++
	}
	for i := 1; i < len(d.starts); i++ {
		d.starts[i] += d.starts[i-1]
	}
	return d
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
