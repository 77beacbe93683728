package index

import (
	"cmp"
	"slices"
)

// A row is an entry of a segment.
type row struct {
	value words
	id    int64
}

func (r *row) compare(o *row) int {
	if r.value[0] != o.value[0] { // decides nearly always
		return cmp.Compare(r.value[0], o.value[0])
	}
	if c := r.value.compare(&o.value); c != 0 {
		return c
	}
	return cmp.Compare(r.id, o.id)
}

// A rowSource returns what gives rows in their order, one at a time, from the first on.
type rowSource func() (next func() (row, bool))

// sortRows sorts rows and gives them.
func sortRows(rows []row) rowSource {
	slices.SortFunc(rows, func(a, b row) int { return a.compare(&b) })
	return func() func() (row, bool) {
		i := -1
		return func() (row, bool) {
			if i++; i >= len(rows) {
				return row{}, false
			}
			return rows[i], true
		}
	}
}

// mergeRows gives the rows of segments that are not gone. The segments were checked.
func mergeRows(segments []*segment, gone []rowSet) rowSource {
	return func() func() (row, bool) {
		var open []*cursor
		for i, s := range segments {
			if c := (&cursor{segment: s, gone: gone[i], at: -1}); c.step() {
				open = append(open, c)
			}
		}
		return func() (row, bool) {
			if len(open) == 0 {
				return row{}, false
			}
			least := 0
			for i := 1; i < len(open); i++ {
				if open[i].now.compare(&open[least].now) < 0 {
					least = i
				}
			}
			c := open[least]
			out := c.now
			if !c.step() {
				open = slices.Delete(open, least, least+1)
			}
			return out, true
		}
	}
}

// A cursor is at a row of a segment.
type cursor struct {
	*segment
	gone   rowSet
	at     int
	number int // of the row's value
	now    row
}

// step goes to the next row that is not gone, and returns false when there is none.
func (c *cursor) step() bool {
	for c.at++; c.at < int(c.Rows) && c.gone.has(c.at); {
		c.at++
	}
	if c.at >= int(c.Rows) {
		return false
	}
	if c.first == nil {
		c.number = c.at
	} else {
		for int(c.first[c.number+1]) <= c.at {
			c.number++
		}
	}
	c.now.value = c.raw(c.number)
	if c.ids32 != nil {
		c.now.id = c.FirstID + int64(c.ids32[c.at])
	} else {
		c.now.id = c.FirstID + int64(c.ids64[c.at])
	}
	return true
}
