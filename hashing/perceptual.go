package hashing

import "sync"

// Options choose what Compute computes.
type Options struct {
	PDQ      bool // PDQ and its quality
	Dihedral bool // also the hashes of the turned and mirrored picture, as the reference derives them
	Turned   bool // also the hashes of really turned and mirrored pixels
	PHash    bool
	DHash    bool
	AHash    bool
}

// AllOptions asks for everything.
func AllOptions() Options {
	return Options{PDQ: true, Dihedral: true, Turned: true, PHash: true, DHash: true, AHash: true}
}

// Perceptual holds the perceptual hashes of one picture. Fields that Computed
// does not name are zero and mean nothing.
type Perceptual struct {
	PDQ      PDQResult
	PHash    Hash64
	DHash    Hash64
	AHash    Hash64
	Computed Options
}

// Value returns the bytes of the hash of algorithm a, nil when it was not
// computed.
func (p *Perceptual) Value(a Algorithm) []byte {
	switch {
	case a == AlgorithmPDQ && p.Computed.PDQ:
		return append([]byte(nil), p.PDQ.Hash[:]...)
	case a == AlgorithmPHash && p.Computed.PHash:
		return p.PHash.Bytes()
	case a == AlgorithmDHash && p.Computed.DHash:
		return p.DHash.Bytes()
	case a == AlgorithmAHash && p.Computed.AHash:
		return p.AHash.Bytes()
	}
	return nil
}

// All computes every perceptual hash in one pass over the pixels. The error
// is a *PixelsError.
func All(p Pixels) (Perceptual, error) { return Compute(p, AllOptions()) }

// ComputePDQ computes PDQ with the dihedral and the turned hashes. The error is a
// *PixelsError.
func ComputePDQ(p Pixels) (PDQResult, error) {
	r, err := Compute(p, Options{PDQ: true, Dihedral: true, Turned: true})
	return r.PDQ, err
}

// Compute computes the hashes that o asks for in one pass over the pixels, on
// one core. The error is a *PixelsError.
func Compute(p Pixels, o Options) (Perceptual, error) {
	if err := p.Validate(); err != nil {
		return Perceptual{}, err
	}
	o.PDQ = o.PDQ || o.Dihedral || o.Turned
	w := workPool.Get().(*work)
	defer workPool.Put(w)
	w.begin(p, o)
	for y := 0; y < p.Height; y += rowsAtOnce {
		w.rows(p, y, min(rowsAtOnce, p.Height-y))
	}
	return w.finish(p), nil
}

// work is the memory of one computation.
type work struct {
	options             Options
	jarosz              *jarosz // nil unless PDQ is computed
	row                 []packed
	phash, dhash, ahash *resizer // nil unless computed
	luma                *lumaTable
	filter              jarosz
}

var workPool = sync.Pool{New: func() any { return &work{luma: newLumaTable()} }}

func (w *work) begin(p Pixels, o Options) {
	*w = work{options: o, luma: w.luma, filter: w.filter, row: w.row}
	if o.PDQ && p.Width >= MinPDQSide && p.Height >= MinPDQSide {
		w.jarosz = &w.filter
		sides := 1
		if o.Turned {
			sides = 2
		}
		w.jarosz.reset(p.Width, p.Height, sides)
	}
	if o.PHash {
		w.phash = newResizer(64, 64, p.Width, p.Height)
	}
	if o.DHash {
		w.dhash = newResizer(9, 8, p.Width, p.Height)
	}
	if o.AHash {
		w.ahash = newResizer(8, 8, p.Width, p.Height)
	}
	if cap(w.row) < p.Width {
		w.row = make([]packed, p.Width)
	}
	w.row = w.row[:p.Width]
}

// rows feeds rows y to y+n-1 to every part.
func (w *work) rows(p Pixels, y, n int) {
	if w.phash != nil || w.dhash != nil || w.ahash != nil {
		for k := range n {
			packRow(w.row, p.row(y+k), p.Channels)
			for _, z := range [...]*resizer{w.phash, w.dhash, w.ahash} {
				if z != nil {
					z.push(y+k, w.row)
				}
			}
		}
	}
	if w.jarosz == nil {
		return
	}
	if n == rowsAtOnce && p.Channels == 3 {
		var rows [rowsAtOnce][]byte
		for k := range rows {
			rows[k] = p.row(y + k)
		}
		lumaRows(w.luma, w.jarosz.in, rows)
	} else {
		for k := range n {
			w.luma.fill(w.jarosz.in, k, p.row(y+k), p.Channels)
		}
	}
	w.jarosz.push(y, n)
}

func (w *work) finish(p Pixels) Perceptual {
	r := Perceptual{Computed: w.options}
	if w.jarosz != nil {
		r.PDQ = w.pdq(p)
	}
	if w.phash != nil {
		r.PHash = perceptionHash(w.phash)
	}
	if w.dhash != nil {
		r.DHash = differenceHash(w.dhash)
	}
	if w.ahash != nil {
		r.AHash = averageHash(w.ahash)
	}
	return r
}

func (w *work) pdq(p Pixels) (r PDQResult) {
	filtered := &w.jarosz.out[0][0]
	plain := filtered
	if p.Width == pdqSide && p.Height == pdqSide {
		plain = w.luma.square(p)
	}
	r.Quality = quality(plain)
	r.Hash = pack(dct(plain))
	if w.options.Dihedral {
		block := dct(filtered)
		for t := range r.Dihedral {
			r.Dihedral[t] = pack(transform(block, Transform(t)))
		}
	}
	if w.options.Turned {
		r.Turned = turned(&w.jarosz.out)
		r.Turned[Original] = r.Hash
	}
	return r
}

// turned hashes the four mirrored pictures and their transpositions.
func turned(out *[2][2][pdqSide][pdqSide]float32) (h [8]PDQ) {
	for _, m := range [...]struct {
		upsideDown, sideways int
		plain, transposed    Transform
	}{
		{0, 0, Original, FlipPlus},
		{1, 0, FlipX, Rotate270},
		{0, 1, FlipY, Rotate90},
		{1, 1, Rotate180, FlipMinus},
	} {
		block := dct(&out[m.upsideDown][m.sideways])
		h[m.plain] = pack(block)
		h[m.transposed] = pack(transform(block, FlipPlus))
	}
	return h
}

// packRow converts a row of bytes.
func packRow(dst []packed, row []byte, channels int) {
	if channels == 1 {
		for x, g := range row[:len(dst)] {
			dst[x] = pack3(g, g, g)
		}
		return
	}
	if channels == 3 { // a constant step is faster
		for x := range dst {
			px := (*[3]byte)(row[3*x : 3*x+3])
			dst[x] = pack3(px[0], px[1], px[2])
		}
		return
	}
	for x := range dst {
		px := (*[4]byte)(row[4*x : 4*x+4])
		dst[x] = pack3(px[0], px[1], px[2])
	}
}
