package index

import (
	"encoding/binary"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
)

// What is removed while the segments it is in are merged is gone from what takes their
// place, and what is added meanwhile stays.
func TestExchangeKeepsWhatChanged(t *testing.T) {
	t.Parallel()
	for _, a := range []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmAHash, hashing.AlgorithmSHA1} {
		h := NewHashes()
		h.merges = mostMerges // none by itself
		entry := func(id int) semblance.HashEntry {
			v := make([]byte, a.Bits()/8)
			binary.BigEndian.PutUint32(v, uint32(id/2)*2654435761) // two entries a value
			return semblance.HashEntry{ID: semblance.EntryID(id), Algorithm: a, Value: v}
		}
		update := func(version int64, remove, add []int) {
			t.Helper()
			var ch semblance.HashChange
			for _, id := range remove {
				ch.Remove = append(ch.Remove, semblance.EntryID(id))
			}
			for _, id := range add {
				ch.Add = append(ch.Add, entry(id))
			}
			if err := h.Update(t.Context(), "c", version, ch); err != nil {
				t.Fatal(err)
			}
		}
		between := func(from, to int) (out []int) {
			for id := from; id < to; id++ {
				out = append(out, id)
			}
			return out
		}
		update(1, nil, between(0, 5000))
		update(2, nil, between(5000, 9000))
		update(3, []int{1, 2, 70, 5001}, nil)
		c := h.catalog("c")
		some := c.untidy(h.merging)
		if len(some) != 2 {
			t.Fatalf("%d segments are to be merged, want 2", len(some))
		}
		made, err := c.merged(some, h.folder.scribe("c", 1))
		if err != nil {
			t.Fatal(err)
		}
		if int(made.Rows) != 8996 {
			t.Fatalf("%d rows were merged, want 8996", made.Rows)
		}
		update(4, []int{3, 8999, 71, 1}, []int{20_000, 20_001, 2, 4}) // 4 is replaced, 2 is there again
		if err := h.exchange(c, some, made); err != nil {
			t.Fatal(err)
		}
		want := hashSet(between(0, 9000), []int{1, 3, 70, 71, 5001, 8999}, []int{20_000, 20_001})
		var got []int
		for i, s := range h.catalog("c").segments {
			for row := range int(s.Rows) {
				if id, err := s.id(row); err != nil {
					t.Fatal(err)
				} else if !h.catalog("c").gone[i].has(row) {
					got = append(got, int(id))
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %d entries are held, want %d", a, len(got), len(want))
		}
		if _, err := h.Search(t.Context(), semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{entry(3).Value}}); err != nil {
			t.Fatal(err)
		}
	}
}

func hashSet(all, without, more []int) []int {
	out := slices.DeleteFunc(slices.Clone(all), func(id int) bool { return slices.Contains(without, id) })
	return append(out, more...)
}

// Merging leaves few segments, and none that is being merged is merged again.
func TestUntidyRows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rows []uint32
		want int
	}{
		{nil, 0}, {[]uint32{1}, 0}, {[]uint32{1, 1}, 2}, {[]uint32{1, 2}, 0}, {[]uint32{1, 2, 5}, 3}, {[]uint32{1, 2, 6}, 0},
		{[]uint32{1, 2, 6, 17}, 4}, {[]uint32{1, 1, 4, 100}, 2}, {[]uint32{5, 5, maxSegmentRows}, 2},
		{[]uint32{maxSegmentRows, maxSegmentRows}, 0}, {[]uint32{1 << 23, 1 << 23}, 2}, {[]uint32{1 << 23, 1<<23 + 1}, 0},
	} {
		var all []*segment
		for _, n := range test.rows {
			all = append(all, &segment{segmentHeader: segmentHeader{Rows: n}})
		}
		if got := untidyRows(all); got != test.want {
			t.Errorf("of %v %d are to be merged, want %d", test.rows, got, test.want)
		}
	}
}
