package hashing

import (
	"fmt"
	"image"
	"image/color"
)

// Pixels is a view of a decoded picture: 8 bits per channel, not
// premultiplied, rows from the top. The hashing functions only read it.
type Pixels struct {
	// Pix holds the rows; pixel (x, y) starts at y*Stride + x*Channels.
	Pix []byte
	// Width and Height are in pixels, 1 to MaxSide.
	Width, Height int
	// Stride is the distance between rows in bytes, at least Width*Channels.
	Stride int
	// Channels is 3 for RGB, 4 for RGB and an ignored fourth byte, 1 for gray.
	// Gray and RGB with equal channels have equal 64-bit hashes, but may differ
	// in a bit or so of PDQ: the reference rounds their luma differently.
	Channels int
}

// MaxSide is the largest width or height that can be hashed. Above it the
// 64-bit hashes of goimagehash overflow.
const MaxSide = 1 << 17

// Validate returns a *PixelsError when p does not describe a picture.
func (p Pixels) Validate() error {
	switch {
	case p.Channels != 1 && p.Channels != 3 && p.Channels != 4:
		return &PixelsError{Msg: fmt.Sprintf("a picture has 1, 3 or 4 channels, not %d", p.Channels)}
	case p.Width < 1 || p.Height < 1:
		return &PixelsError{Msg: fmt.Sprintf("a picture of %d by %d pixels has nothing to hash", p.Width, p.Height)}
	case p.Width > MaxSide || p.Height > MaxSide:
		return &PixelsError{Msg: fmt.Sprintf("a picture of %d by %d pixels is over the limit of %d a side", p.Width, p.Height, MaxSide)}
	case p.Stride < p.Width*p.Channels:
		return &PixelsError{Msg: fmt.Sprintf("a stride of %d bytes is less than a row of %d pixels", p.Stride, p.Width)}
	case (len(p.Pix)-p.Width*p.Channels)/p.Stride < p.Height-1 || len(p.Pix) < p.Width*p.Channels:
		return &PixelsError{Msg: fmt.Sprintf("%d bytes do not hold %d rows", len(p.Pix), p.Height)}
	}
	return nil
}

// row returns the bytes of row y.
func (p Pixels) row(y int) []byte {
	o := y * p.Stride
	return p.Pix[o : o+p.Width*p.Channels]
}

// FromImage returns the straight 8-bit pixels of m: alpha is dropped, never
// blended, so a transparent pixel counts with the color stored under it (which
// *image.RGBA does not keep: there a fully transparent pixel is black). Pixels
// of *image.Gray and *image.NRGBA are shared with m, all others are copied.
func FromImage(m image.Image) Pixels {
	b := m.Bounds()
	p := Pixels{Width: b.Dx(), Height: b.Dy()}
	switch m := m.(type) {
	case *image.Gray:
		p.Pix, p.Stride, p.Channels = m.Pix, m.Stride, 1
		return p
	case *image.NRGBA:
		p.Pix, p.Stride, p.Channels = m.Pix, m.Stride, 4
		return p
	}
	p.Channels, p.Stride = 3, p.Width*3
	p.Pix = make([]byte, p.Stride*max(p.Height, 0))
	for y := range p.Height {
		fillRow(p.row(y), m, b.Min.X, b.Min.Y+y)
	}
	return p
}

// fillRow writes the row of m that starts at (x, y) as RGB.
func fillRow(dst []byte, m image.Image, x, y int) {
	for ; len(dst) >= 3; dst, x = dst[3:], x+1 {
		var c color.NRGBA
		switch m := m.(type) {
		case *image.YCbCr:
			yy := m.YCbCrAt(x, y)
			c.R, c.G, c.B = color.YCbCrToRGB(yy.Y, yy.Cb, yy.Cr)
		case *image.RGBA:
			c = straight(m.RGBAAt(x, y))
		default:
			c = color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
		}
		dst[0], dst[1], dst[2] = c.R, c.G, c.B
	}
}

func straight(c color.RGBA) color.NRGBA {
	if c.A == 0xff {
		return color.NRGBA(c)
	}
	return color.NRGBAModel.Convert(c).(color.NRGBA)
}
