package hashing

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
)

// The shape of a TMK+PDQF, fixed by the reference.
const (
	TMKFramesPerSecond = 15
	TMKSide            = 64 // pixels of the frames it is made of
	TMKSize            = 263344
	tmkPeriods         = 4
	tmkCoefficients    = 32
	tmkDimension       = 256
)

// tmkPeriodFrames are the periods, in frames.
var tmkPeriodFrames = [tmkPeriods]int32{2731, 4391, 9767, 14653}

// tmkFeature is a vector of one value for each of PDQ's frequencies.
type tmkFeature [tmkDimension]float32

// A TMK is a TMK+PDQF: a whole video as its mean frame and how the frames' features
// beat in four periods. It is 263,344 bytes however long the video is. It finds the
// same video; for clips of it see VPDQ.
type TMK struct {
	Frames       int // at 15 a second
	coefficients [tmkCoefficients]float32
	average      tmkFeature
	cos, sin     [tmkPeriods][tmkCoefficients]tmkFeature
}

// A TMKMaker makes a TMK of frames that are given one after the other.
type TMKMaker struct {
	tmk  TMK
	luma *lumaTable
}

// NewTMKMaker returns a TMKMaker that has no frames.
func NewTMKMaker() *TMKMaker {
	m := &TMKMaker{luma: newLumaTable()}
	m.tmk.coefficients = *poullot()
	return m
}

// Add takes the next frame of 64 by 64 pixels, of 15 a second. The error is a
// *PixelsError.
func (m *TMKMaker) Add(p Pixels) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Width != TMKSide || p.Height != TMKSide {
		return &PixelsError{Msg: fmt.Sprintf("a frame of a TMK is 64 by 64 pixels, not %d by %d", p.Width, p.Height)}
	}
	block := dct(m.luma.square(p))
	var f tmkFeature
	for i := range block {
		copy(f[i*pdqFreqs:], block[i][:])
	}
	m.add(&f)
	return nil
}

// add follows the reference: the mean is of the features as they are, the rest of
// features of length 1.
func (m *TMKMaker) add(f *tmkFeature) {
	t := &m.tmk
	for k, v := range f {
		t.average[k] += v
	}
	unit := *f
	unit.normalize()
	for i, period := range tmkPeriodFrames {
		for k, v := range &unit {
			t.cos[i][0][k] += v
		}
		for j := 1; j < tmkCoefficients; j++ {
			sin, cos := math.Sincos(2 * math.Pi * float64(j) * float64(t.Frames) / float64(period))
			cs, ss := &t.cos[i][j], &t.sin[i][j]
			for k, v := range &unit { // in float64 and then rounded, as the reference does
				cs[k] = float32(float64(cs[k]) + float64(float64(v)*cos))
				ss[k] = float32(float64(ss[k]) + float64(float64(v)*sin))
			}
		}
	}
	t.Frames++
}

// Finish returns the TMK of the frames so far, and the maker is of no more use. Of
// no frames it is all zero, with nothing to compare.
func (m *TMKMaker) Finish() *TMK {
	t := &m.tmk
	if t.Frames == 0 {
		return t
	}
	for k := range t.average {
		t.average[k] /= float32(t.Frames)
	}
	for i := range t.cos {
		for j := range t.cos[i] {
			root := float32(math.Sqrt(float64(t.coefficients[j])))
			for _, f := range [2]*tmkFeature{&t.cos[i][j], &t.sin[i][j]} {
				f.normalize()
				for k := range f {
					f[k] *= root
				}
			}
		}
	}
	return t
}

// normalize gives f the length 1, unless it is zero.
func (f *tmkFeature) normalize() {
	n := float32(math.Sqrt(float64(f.dot(f))))
	if n > 0 {
		for k := range f {
			f[k] /= n
		}
	}
}

func (f *tmkFeature) dot(o *tmkFeature) (sum float32) {
	for k, v := range f {
		sum += float32(v * o[k])
	}
	return sum
}

// poullot returns the coefficients of the kernel that the reference uses: modified
// Bessel functions I(j, 32), scaled (Poullot et al., 2015).
var poullot = sync.OnceValue(func() *[tmkCoefficients]float32 {
	const beta = 32.0
	var a [tmkCoefficients]float32
	sinh := math.Sinh(beta)
	a[0] = float32((besselI(0, beta) - math.Exp(-beta)) / (2 * sinh))
	for j := 1; j < tmkCoefficients; j++ {
		a[j] = float32(besselI(j, beta) / sinh)
	}
	return &a
})

// besselI is the modified Bessel function of the first kind by its power series,
// whose terms are all positive.
func besselI(n int, x float64) float64 {
	term := 1.0
	for k := 1; k <= n; k++ {
		term *= x / 2 / float64(k)
	}
	sum := 0.0
	for k := 1; term > sum*1e-18; k++ {
		sum += term
		term *= (x / 2) * (x / 2) / float64(k) / float64(k+n)
	}
	return sum
}

// A TMKComparison is what comparing two TMK gave. Both levels grow with nearness,
// as the reference defines them; its tools take 0.7 of both as near, and advise 0.9
// and more for copies.
type TMKComparison struct {
	Level1 float64 `json:"level1"` // cosine of the mean frames, -1 to 1
	Level2 float64 `json:"level2"` // best agreement over all periods and offsets, at most about 1
	Period int     `json:"period"` // frames; the offset is known modulo this
	Offset int     `json:"offset"` // frames at 15 a second by which the first runs ahead of the second
}

// Compare compares two TMK at both levels.
func (t *TMK) Compare(o *TMK) TMKComparison {
	c := TMKComparison{Level1: t.Level1(o), Level2: math.Inf(-1)}
	norm := float64(t.coefficients[0])
	for _, a := range t.coefficients[1:] {
		norm += 2 * float64(a)
	}
	for i, period := range tmkPeriodFrames {
		value, offset := t.bestOffset(o, i, int(period))
		if value /= norm; value > c.Level2 {
			c.Level2, c.Period, c.Offset = value, int(period), offset
		}
	}
	return c
}

// A TMKMean is the mean frame of a TMK, for the cheap comparison with many.
type TMKMean struct{ feature tmkFeature }

// Mean returns the mean frame.
func (t *TMK) Mean() TMKMean { return TMKMean{t.average} }

// TMKMeanBytes is how long a mean frame is in bytes.
const TMKMeanBytes = 4 * tmkDimension

// AppendBinary appends the mean frame as float32, little-endian.
func (m *TMKMean) AppendBinary(b []byte) []byte {
	for _, f := range m.feature {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return b
}

// ParseTMKMean reads what AppendBinary wrote.
func ParseTMKMean(b []byte) (m TMKMean, err error) {
	if len(b) != TMKMeanBytes {
		return m, &SyntaxError{Msg: fmt.Sprintf("a mean frame of %d bytes", len(b))}
	}
	for i := range m.feature {
		m.feature[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return m, nil
}

// Level1 is that of TMK.Compare.
func (m *TMKMean) Level1(o *TMKMean) float64 {
	a, b := float64(m.feature.dot(&m.feature)), float64(o.feature.dot(&o.feature))
	if a == 0 || b == 0 {
		return 0
	}
	return float64(m.feature.dot(&o.feature)) / (math.Sqrt(a) * math.Sqrt(b))
}

// Level1 is that of Compare alone.
func (t *TMK) Level1(o *TMK) float64 {
	a, b := t.Mean(), o.Mean()
	return a.Level1(&b)
}

// bestOffset evaluates the kernel at every offset of a period.
func (t *TMK) bestOffset(o *TMK, i, period int) (best float64, at int) {
	var even, odd [tmkCoefficients]float64
	for j := range even {
		even[j] = float64(t.cos[i][j].dot(&o.cos[i][j])) + float64(t.sin[i][j].dot(&o.sin[i][j]))
		odd[j] = float64(t.sin[i][j].dot(&o.cos[i][j])) - float64(t.cos[i][j].dot(&o.sin[i][j]))
	}
	table := sincosTable(period)
	best = math.Inf(-1)
	for offset := range period {
		k := float64(t.cos[i][0].dot(&o.cos[i][0]))
		for j, step := 1, offset; j < tmkCoefficients; j++ {
			k += table[step][1]*even[j] + table[step][0]*odd[j]
			if step += offset; step >= period {
				step -= period
			}
		}
		if k > best {
			best, at = k, offset
		}
	}
	return best, at
}

// sincosTable holds sine and cosine of every step around a period.
func sincosTable(period int) [][2]float64 {
	table := make([][2]float64, period)
	for n := range table {
		table[n][0], table[n][1] = math.Sincos(2 * math.Pi * float64(n) / float64(period))
	}
	return table
}

// AppendBinary appends the reference's file: 263,344 bytes, little endian.
func (t *TMK) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, "TMK1FVECPDQF"...)
	for _, n := range [...]int32{TMKFramesPerSecond, tmkPeriods, tmkCoefficients, tmkDimension, int32(t.Frames)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, p := range tmkPeriodFrames {
		b = binary.LittleEndian.AppendUint32(b, uint32(p))
	}
	b = appendFloats(b, t.coefficients[:])
	b = appendFloats(b, t.average[:])
	for _, set := range [2]*[tmkPeriods][tmkCoefficients]tmkFeature{&t.cos, &t.sin} {
		for i := range set {
			for j := range set[i] {
				b = appendFloats(b, set[i][j][:])
			}
		}
	}
	return b, nil
}

// MarshalBinary returns what AppendBinary appends.
func (t *TMK) MarshalBinary() ([]byte, error) { return t.AppendBinary(make([]byte, 0, TMKSize)) }

// UnmarshalBinary reads what AppendBinary wrote; see ParseTMK.
func (t *TMK) UnmarshalBinary(b []byte) error {
	p, err := ParseTMK(b)
	if err == nil {
		*t = *p
	}
	return err
}

func appendFloats(b []byte, list []float32) []byte {
	for _, v := range list {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// ParseTMK reads the reference's file. Files of other periods, coefficients, frame
// rates or frame features are refused: they cannot be compared with these. The
// error is a *SyntaxError.
func ParseTMK(b []byte) (*TMK, error) {
	if len(b) != TMKSize {
		return nil, &SyntaxError{Msg: fmt.Sprintf("%d bytes; a TMK+PDQF has %d", len(b), TMKSize)}
	}
	if string(b[:12]) != "TMK1FVECPDQF" {
		return nil, &SyntaxError{Msg: "these are not the first bytes of a TMK+PDQF of version 1"}
	}
	r := floatReader{b: b[12:]}
	for i, want := range [...]int32{TMKFramesPerSecond, tmkPeriods, tmkCoefficients, tmkDimension} {
		if got := r.int(); got != want {
			return nil, &SyntaxError{Msg: fmt.Sprintf("number %d in the head of the TMK+PDQF is %d, and only %d can be compared", i, got, want)}
		}
	}
	t := &TMK{Frames: int(r.int())}
	if t.Frames < 0 {
		return nil, &SyntaxError{Msg: fmt.Sprintf("a TMK+PDQF of %d frames", t.Frames)}
	}
	for i, want := range tmkPeriodFrames {
		if got := r.int(); got != want {
			return nil, &SyntaxError{Msg: fmt.Sprintf("period %d of the TMK+PDQF is %d, and only %d can be compared", i, got, want)}
		}
	}
	r.floats(t.coefficients[:])
	r.floats(t.average[:])
	for _, set := range [2]*[tmkPeriods][tmkCoefficients]tmkFeature{&t.cos, &t.sin} {
		for i := range set {
			for j := range set[i] {
				r.floats(set[i][j][:])
			}
		}
	}
	if r.bad {
		return nil, &SyntaxError{Msg: "a number in the TMK+PDQF is not finite"}
	}
	for j, want := range poullot() {
		if math.Abs(float64(t.coefficients[j]-want)) > 1e-6*float64(want) {
			return nil, &SyntaxError{Msg: fmt.Sprintf("coefficient %d of the TMK+PDQF is another one and cannot be compared", j)}
		}
	}
	return t, nil
}

// A floatReader reads numbers and notes those that are none.
type floatReader struct {
	b   []byte
	bad bool
}

func (r *floatReader) int() int32 {
	n := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return int32(n)
}

func (r *floatReader) floats(list []float32) {
	for i := range list {
		v := math.Float32frombits(uint32(r.int()))
		// Far under the square root of the largest float: sums of squares stay finite.
		r.bad = r.bad || !(v >= -1e15 && v <= 1e15)
		list[i] = v
	}
}
