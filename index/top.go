package index

import "math"

// A who is a subject of a search: the shelf's place in the search, and the number there.
type who uint64

func whoOf(shelf int, number uint32) who { return who(shelf)<<32 | who(number) }

// A top keeps the k subjects with the smallest of what was seen of each, in a heap with
// the largest at its head.
type top struct {
	k    int
	heap []seen
	at   map[who]int // where a subject is in the heap
}

type seen struct {
	who who
	up  float32
}

// limit returns the k-th smallest, infinity when there are fewer.
func (t *top) limit() float32 {
	if len(t.heap) < t.k {
		return float32(math.Inf(1))
	}
	return t.heap[0].up
}

// of returns what was seen of a subject, infinity when it is not among the k.
func (t *top) of(w who) float32 {
	if i, ok := t.at[w]; ok {
		return t.heap[i].up
	}
	return float32(math.Inf(1))
}

// add takes note of a subject. What is not a number is left out.
func (t *top) add(w who, up float32) {
	i, ok := t.at[w]
	switch {
	case up != up || ok && up >= t.heap[i].up:
		return
	case ok:
		t.heap[i].up = up
	case len(t.heap) < t.k:
		if t.at == nil {
			t.at = map[who]int{}
		}
		t.heap = append(t.heap, seen{w, up})
		t.at[w] = len(t.heap) - 1
		t.rise(len(t.heap) - 1)
		return
	case up >= t.heap[0].up:
		return
	default:
		delete(t.at, t.heap[0].who)
		t.heap[0], i = seen{w, up}, 0
		t.at[w] = 0
	}
	t.sink(i)
}

func (t *top) rise(i int) {
	for i > 0 && t.heap[i].up > t.heap[(i-1)/2].up {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (t *top) sink(i int) {
	for {
		largest := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < len(t.heap) && t.heap[c].up > t.heap[largest].up {
				largest = c
			}
		}
		if largest == i {
			return
		}
		t.swap(i, largest)
		i = largest
	}
}

func (t *top) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.at[t.heap[i].who], t.at[t.heap[j].who] = i, j
}
