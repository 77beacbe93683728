package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// sorted returns a list in the order of values, equal ones in the order of
// entries, and each pair of value and entry once.
func (l *list) sorted() list {
	type key struct {
		head uint64 // the first 8 bytes decide nearly always, without another cache miss
		at   uint32
	}
	keys := make([]key, len(l.ids))
	for i := range keys {
		keys[i] = key{binary.BigEndian.Uint64(l.value(i)), uint32(i)}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		if c := bytes.Compare(l.value(int(a.at)), l.value(int(b.at))); c != 0 {
			return c
		}
		return cmp.Compare(l.ids[a.at], l.ids[b.at])
	})
	out := list{width: l.width, values: make([]byte, 0, len(l.values))}
	out.ids = slices.Grow(out.ids, len(l.ids))
	for _, k := range keys {
		v, id := l.value(int(k.at)), l.ids[k.at]
		if n := len(out.ids); n > 0 && out.ids[n-1] == id && bytes.Equal(out.value(n-1), v) {
			continue
		}
		out.add(v, id)
	}
	return out
}
