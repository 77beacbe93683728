package index

import (
	"math"

	"semblance"
	"semblance/index/disk"
)

// A builder gathers the rows of a tray.
type builder struct {
	dims   int
	metric semblance.Metric
	first  uint32 // number of the first subject that is new here

	rows     map[semblance.ReferenceID]int
	ids      []semblance.ReferenceID
	named    map[string]uint32
	names    []string
	blank    map[int]bool // names that are not to be found again
	days     []int32
	subjects []uint32
	vectors  []float32
}

func newBuilder(key shelfKey, first uint32) *builder {
	return &builder{dims: key.dims, metric: key.metric, first: first, rows: map[semblance.ReferenceID]int{}, named: map[string]uint32{}}
}

// number returns the number of a subject that no earlier tray has.
func (b *builder) number(name string) uint32 {
	n, ok := b.named[name]
	if !ok {
		n = b.first + uint32(len(b.names))
		b.named[name] = n
		b.names = append(b.names, name)
	}
	return n
}

// put adds a row, or overwrites the one of the same ID.
func (b *builder) put(e semblance.VectorEntry, subject uint32) {
	if row, ok := b.rows[e.ID]; ok {
		b.days[row], b.subjects[row] = e.Captured, subject
		copy(b.vectors[row*b.dims:], e.Vector)
		return
	}
	b.rows[e.ID] = len(b.ids)
	b.ids = append(b.ids, e.ID)
	b.days, b.subjects = append(b.days, e.Captured), append(b.subjects, subject)
	b.vectors = append(b.vectors, e.Vector...)
}

// take removes the row of an ID, if there is one; the last row takes its place.
func (b *builder) take(id semblance.ReferenceID) {
	row, ok := b.rows[id]
	if !ok {
		return
	}
	last := len(b.ids) - 1
	b.ids[row], b.days[row], b.subjects[row] = b.ids[last], b.days[last], b.subjects[last]
	copy(b.vectors[row*b.dims:], b.vectors[last*b.dims:])
	b.rows[b.ids[row]] = row
	delete(b.rows, id)
	b.ids, b.days, b.subjects, b.vectors = b.ids[:last], b.days[:last], b.subjects[:last], b.vectors[:last*b.dims]
}

// seal makes the tray.
func (b *builder) seal() *tray {
	t := &tray{header: header{Magic: trayMagic, Format: trayFormat, Order: orderMark, Rows: uint32(len(b.ids)), Dims: uint32(b.dims), Names: uint32(len(b.names)), FirstName: b.first}}
	if b.metric == semblance.Euclid {
		t.Metric = euclidMetric
	}
	for _, id := range b.ids {
		t.IDBytes += uint64(len(id))
	}
	for _, n := range b.names {
		t.NameBytes += uint64(len(n))
	}
	l, ok := t.layout()
	if !ok {
		return nil
	}
	body, _ := bodyAt(l.size)
	t.image = disk.Aligned(body + l.size)
	t.view(l)
	copy(t.days, b.days)
	copy(t.subjects, b.subjects)
	copy(t.vectors, b.vectors)
	fill(t.ids, b.ids, nil)
	fill(t.names, b.names, b.blank)
	b.code(t)
	t.stamp()
	return t
}

// fill lays labels out. What is blank is left out of the table.
func fill[T ~string](w labels, texts []T, blank map[int]bool) {
	end := 0
	for i, text := range texts {
		end += copy(w.bytes[end:], text)
		w.ends[i] = uint32(end)
		if blank[i] {
			continue
		}
		at := int(hash(string(text))) & (len(w.table) - 1)
		for w.table[at] != 0 {
			at = (at + 1) & (len(w.table) - 1)
		}
		w.table[at] = uint32(i + 1)
	}
}

// code codes the rows for the first pass, as seen from their center: faces are much
// nearer to each other than to zero, and so the codes are finer.
func (b *builder) code(t *tray) {
	for i := range t.codes {
		t.codes[i] = rowZero
	}
	for i := range t.center {
		sum := 0.0
		for row := range b.ids {
			sum += float64(t.vectors[row*b.dims+i])
		}
		t.center[i] = float32(sum / float64(max(1, len(b.ids))))
	}
	chunks := chunksOf(b.dims)
	for row := range b.ids {
		v := minus(t.vectors[row*b.dims:][:b.dims], t.center)
		square, scale := squaredLength(v), scaleOf(v, rowLimit)
		t.scales[row] = scale
		if t.Metric == euclidMetric {
			t.bias[row] = float32(square / 2)
		}
		t.rests[row] = encode(v, scale, rowLimit, func(i, code int) {
			t.codes[codeAt(row, chunks, i/chunkDims)+i%chunkDims] = uint8(code + rowZero)
		})
		t.Longest = max(t.Longest, math.Sqrt(square))
		if t.rests[row] != 0 { // infinite when the scale vanishes
			t.Worst = max(t.Worst, float32(float64(t.rests[row])/float64(scale)*(1+1e-6)))
		}
	}
}

// stamp writes checksums and header.
func (t *tray) stamp() {
	t.Sums = t.stampBody()
	t.stampHeader(&t.header)
}
