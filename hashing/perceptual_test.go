package hashing_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/corona10/goimagehash"

	"semblance/hashing"
)

// synthetic returns a picture of waves, blocks and noise, different for every
// seed, with padding behind each row.
func synthetic(seed uint64, width, height, channels int) hashing.Pixels {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := hashing.Pixels{Width: width, Height: height, Channels: channels, Stride: width*channels + int(seed%3)}
	p.Pix = make([]byte, p.Stride*height)
	fx, fy, noise := rng.Float64()*9, rng.Float64()*9, rng.IntN(90)
	for y := range height {
		for x := range width {
			for c := range channels {
				v := 128 + 90*math.Sin(fx*float64(x)/float64(width)*3+float64(c))*math.Cos(fy*float64(y)/float64(height)*3)
				if (x*5/width+y*3/height+c)%4 == 0 {
					v = 255 - v
				}
				v += float64(rng.IntN(noise+1) - noise/2)
				p.Pix[y*p.Stride+x*channels+c] = byte(min(max(v, 0), 255))
			}
		}
	}
	return p
}

// noisy returns a picture of independent random bytes.
func noisy(seed uint64, width, height, channels int) hashing.Pixels {
	rng := rand.New(rand.NewPCG(seed, 2))
	p := hashing.Pixels{Width: width, Height: height, Channels: channels, Stride: width * channels}
	p.Pix = make([]byte, p.Stride*height)
	for i := range p.Pix {
		p.Pix[i] = byte(rng.Uint32())
	}
	return p
}

// sizes are sides where some boundary lies: minimal, below and above 64, the
// window of the filter growing at multiples of 128, blocks of four rows.
var sizes = []int{1, 2, 4, 5, 6, 7, 8, 9, 11, 31, 63, 64, 65, 100, 127, 128, 129, 131, 255, 256, 257, 383, 385, 513, 770}

func eachPicture(t *testing.T, f func(t *testing.T, p hashing.Pixels)) {
	t.Helper()
	for i, w := range sizes {
		for j, h := range sizes {
			if (i+j)%3 != 0 && w != h {
				continue
			}
			channels := []int{3, 1, 4}[(i+2*j)%3]
			seed := uint64(i*100 + j)
			t.Run(fmt.Sprintf("%dx%dx%d", w, h, channels), func(t *testing.T) {
				t.Parallel()
				f(t, synthetic(seed, w, h, channels))
				f(t, noisy(seed, w, h, channels))
			})
		}
	}
}

func TestPDQEqualsReference(t *testing.T) {
	t.Parallel()
	eachPicture(t, func(t *testing.T, p hashing.Pixels) {
		got, err := hashing.ComputePDQ(p)
		if err != nil {
			t.Fatal(err)
		}
		want := pdqReference(p)
		got.Turned = want.Turned // has its own test
		if got != want {
			t.Errorf("got %v q%d, want %v q%d; dihedral equal: %v", got.Hash, got.Quality, want.Hash, want.Quality, got.Dihedral == want.Dihedral)
		}
	})
}

func TestHash64EqualsGoimagehash(t *testing.T) {
	t.Parallel()
	eachPicture(t, func(t *testing.T, p hashing.Pixels) {
		got, err := hashing.All(p)
		if err != nil {
			t.Fatal(err)
		}
		if want := goimagehashOf(t, toRGBA(p)); want != [3]hashing.Hash64{got.PHash, got.DHash, got.AHash} {
			t.Errorf("got %v %v %v, want %v", got.PHash, got.DHash, got.AHash, want)
		}
	})
}

// goimagehashOf is the slow twin of the 64-bit hashes: the library itself.
func goimagehashOf(t *testing.T, m image.Image) (out [3]hashing.Hash64) {
	t.Helper()
	for i, f := range []func(image.Image) (*goimagehash.ImageHash, error){
		goimagehash.PerceptionHash, goimagehash.DifferenceHash, goimagehash.AverageHash,
	} {
		h, err := f(m)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = hashing.Hash64(h.GetHash())
	}
	return out
}

func toRGBA(p hashing.Pixels) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, p.Width, p.Height))
	for y := range p.Height {
		for x := range p.Width {
			px := p.Pix[y*p.Stride+x*p.Channels:]
			c := color.RGBA{px[0], px[0], px[0], 255}
			if p.Channels > 1 {
				c.G, c.B = px[1], px[2]
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func TestComputeOnlyWhatIsAsked(t *testing.T) {
	t.Parallel()
	p := synthetic(7, 201, 133, 3)
	all, err := hashing.All(p)
	if err != nil {
		t.Fatal(err)
	}
	algs := []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmPHash, hashing.AlgorithmDHash, hashing.AlgorithmAHash}
	for i, o := range []hashing.Options{{PDQ: true}, {PHash: true}, {DHash: true}, {AHash: true}} {
		one, err := hashing.Compute(p, o)
		if err != nil {
			t.Fatal(err)
		}
		if one.Computed != o || one.PDQ.Dihedral != [8]hashing.PDQ{} || one.PDQ.Turned != [8]hashing.PDQ{} {
			t.Errorf("asked for %+v, computed %+v", o, one.Computed)
		}
		for j, a := range algs {
			got, want := one.Value(a), all.Value(a)
			if j != i {
				want = nil
			}
			if string(got) != string(want) || (got == nil) != (want == nil) {
				t.Errorf("%+v: %s is %x, want %x", o, a, got, want)
			}
		}
	}
	one, err := hashing.Compute(p, hashing.Options{Dihedral: true, Turned: true})
	if err != nil || one.PDQ != all.PDQ || !one.Computed.PDQ {
		t.Errorf("dihedral alone: %v, %+v", err, one)
	}
}

// The turned hashes are those of turned pixels up to a few bits, the dihedral
// ones up to many; this fails when two of them are exchanged.
func TestTurnedPixels(t *testing.T) {
	t.Parallel()
	for _, side := range []int{130, 256, 400, 777} {
		checkTurned(t, synthetic(uint64(side), side, side, 3))
	}
}

func checkTurned(t *testing.T, p hashing.Pixels) {
	t.Helper()
	all, err := hashing.ComputePDQ(p)
	if err != nil {
		t.Fatal(err)
	}
	n := p.Width - 1
	source := map[hashing.Transform]func(x, y int) (int, int){ // of the turned pixel (x, y)
		hashing.Original:  func(x, y int) (int, int) { return x, y },
		hashing.Rotate90:  func(x, y int) (int, int) { return n - y, x },
		hashing.Rotate180: func(x, y int) (int, int) { return n - x, n - y },
		hashing.Rotate270: func(x, y int) (int, int) { return y, n - x },
		hashing.FlipX:     func(x, y int) (int, int) { return x, n - y },
		hashing.FlipY:     func(x, y int) (int, int) { return n - x, y },
		hashing.FlipPlus:  func(x, y int) (int, int) { return y, x },
		hashing.FlipMinus: func(x, y int) (int, int) { return n - y, n - x },
	}
	for tr, from := range source {
		turned := hashing.Pixels{Width: p.Width, Height: p.Height, Channels: 3, Stride: 3 * p.Width, Pix: make([]byte, 3*p.Width*p.Height)}
		for y := range p.Height {
			for x := range p.Width {
				sx, sy := from(x, y)
				copy(turned.Pix[y*turned.Stride+3*x:][:3], p.Pix[sy*p.Stride+3*sx:])
			}
		}
		got, err := hashing.ComputePDQ(turned)
		if err != nil {
			t.Fatal(err)
		}
		if d := got.Hash.Distance(all.Turned[tr]); d > 12 {
			t.Errorf("%d a side: turned pixels of %v are %d bits from what Turned says", p.Width, tr, d)
		}
		for other, h := range all.Dihedral {
			d := got.Hash.Distance(h)
			if near := hashing.Transform(other) == tr; near != (d <= 70) {
				t.Errorf("turned pixels of %v are %d bits from the dihedral hash of %v", tr, d, hashing.Transform(other))
			}
		}
	}
}

func TestTinyAndBadPixels(t *testing.T) {
	t.Parallel()
	tiny, err := hashing.ComputePDQ(noisy(1, 4, 300, 3))
	if err != nil || tiny != (hashing.PDQResult{}) {
		t.Errorf("4 by 300: %v, %v; want the zero result", tiny, err)
	}
	good := noisy(1, 10, 10, 3)
	for name, change := range map[string]func(*hashing.Pixels){
		"two channels":  func(p *hashing.Pixels) { p.Channels = 2 },
		"no width":      func(p *hashing.Pixels) { p.Width = 0 },
		"neg. height":   func(p *hashing.Pixels) { p.Height = -1 },
		"too wide":      func(p *hashing.Pixels) { p.Width, p.Stride = hashing.MaxSide+1, 3*hashing.MaxSide+3 },
		"short stride":  func(p *hashing.Pixels) { p.Stride = 29 },
		"missing bytes": func(p *hashing.Pixels) { p.Pix = p.Pix[:299] },
		"no bytes":      func(p *hashing.Pixels) { p.Pix = nil },
		"huge stride":   func(p *hashing.Pixels) { p.Stride = math.MaxInt },
	} {
		p := good
		change(&p)
		_, err := hashing.All(p)
		var pe *hashing.PixelsError
		if !errors.As(err, &pe) {
			t.Errorf("%s: error %v, want a *PixelsError", name, err)
		}
	}
	last := good
	last.Stride, last.Height = 40, 7 // the last row may lack its padding
	last.Pix = last.Pix[:6*40+30]
	if _, err := hashing.All(last); err != nil {
		t.Error(err)
	}
}

func TestFromImage(t *testing.T) {
	t.Parallel()
	b := image.Rect(3, 5, 43, 36)
	nrgba, rgba, gray := image.NewNRGBA(b), image.NewRGBA(b), image.NewGray(b)
	deep, ycc := image.NewNRGBA64(b), image.NewYCbCr(b, image.YCbCrSubsampleRatio420)
	rng := rand.New(rand.NewPCG(9, 9))
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBA{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}
			nrgba.SetNRGBA(x, y, c)
			rgba.Set(x, y, c)
			gray.Set(x, y, c)
			deep.Set(x, y, c)
			i, j := ycc.YOffset(x, y), ycc.COffset(x, y)
			ycc.Y[i], ycc.Cb[j], ycc.Cr[j] = c.R, c.G, c.B
		}
	}
	for _, m := range []image.Image{nrgba, rgba, gray, deep, ycc, nrgba.SubImage(image.Rect(10, 9, 30, 20))} {
		p := hashing.FromImage(m)
		if err := p.Validate(); err != nil {
			t.Fatalf("%T: %v", m, err)
		}
		o := m.Bounds().Min
		for y := range p.Height {
			for x := range p.Width {
				want := color.NRGBAModel.Convert(m.At(o.X+x, o.Y+y)).(color.NRGBA)
				px := p.Pix[y*p.Stride+x*p.Channels:]
				got := color.NRGBA{px[0], px[0], px[0], want.A}
				if p.Channels > 1 {
					got.G, got.B = px[1], px[2]
				}
				if got != want {
					t.Fatalf("%T at %d,%d: %v, want %v", m, x, y, got, want)
				}
			}
		}
	}
	if err := hashing.FromImage(image.NewRGBA(image.Rectangle{})).Validate(); err == nil {
		t.Error("an empty image is accepted")
	}
}
