package digestset

import (
	"slices"
	"strings"
)

const (
	maxTexts     = 1<<14 - 2
	maxTextBytes = 1 << 20
	// lostText is the index of texts that are not kept.
	lostText = maxTexts + 1
	clipText = 512
)

// maxPairs bounds what is remembered of texts that met.
const maxPairs = 1 << 18

// texts are the different texts of a set, by index from 1; 0 is none.
type texts struct {
	list  []string
	index map[string]uint64
	bytes int
	lost  bool
	pairs map[[2]uint64]uint64 // what two became together; 0: there is no room
}

func newTexts(list []string) *texts {
	t := &texts{index: map[string]uint64{}, pairs: map[[2]uint64]uint64{}}
	for _, s := range list {
		t.add(s)
	}
	return t
}

// add returns the index of a text, lostText when there is no room for it.
func (t *texts) add(s string) uint64 {
	if s == "" {
		return 0
	}
	if n, ok := t.index[s]; ok {
		return n
	}
	if kept := flat(s); kept != s {
		return t.add(kept)
	}
	if len(t.list) == maxTexts || t.bytes+len(s) > maxTextBytes {
		t.lost = true
		return lostText
	}
	t.list = append(t.list, s)
	t.bytes += len(s)
	t.index[s] = uint64(len(t.list))
	return t.index[s]
}

// textSeparator is between texts that are said together.
const textSeparator = "; "

// join returns the index of what two texts say together, and false when there is no
// room for that: then only the first stays.
func (t *texts) join(a, b uint64) (uint64, bool) {
	switch {
	case a == b, b == 0:
		return a, true
	case a == 0:
		return b, true
	case a == lostText || b == lostText:
		return a, false
	}
	n, ok := t.pairs[[2]uint64{a, b}]
	if !ok {
		n = t.joined(t.list[a-1], t.list[b-1])
		if len(t.pairs) == maxPairs {
			clear(t.pairs)
		}
		t.pairs[[2]uint64{a, b}] = n
	}
	if n == 0 {
		return a, false
	}
	return n, true
}

func (t *texts) joined(a, b string) uint64 {
	parts := strings.Split(a, textSeparator)
	for p := range strings.SplitSeq(b, textSeparator) {
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	both := strings.Join(parts, textSeparator)
	if len(both) > clipText {
		return 0
	}
	lost := t.lost
	if n := t.add(both); n != lostText {
		return n
	}
	t.lost = lost // the record keeps the first, and says that there are others
	return 0
}
