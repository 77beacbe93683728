package media

import (
	"encoding/binary"
	"math/bits"

	"semblance"
)

// Compression methods of a BMP.
const (
	bmpRGB       = 0
	bmpRLE8      = 1
	bmpRLE4      = 2
	bmpBitfields = 3
	bmpAlpha     = 6
)

// A bmpHead is the header of a Windows or OS/2 bitmap. golang.org/x/image/bmp
// knows neither run lengths nor 16 bits, and gives nothing of a file that breaks off.
type bmpHead struct {
	width, height int
	topDown       bool
	bits          int
	compression   uint32
	masks         [3]uint32
	colors        []byte // blue, green, red and, unless entry is 3, a spare
	entry         int
	pixels        int // offset
}

// isBMPHeader reports whether a header of so many bytes exists: OS/2 1 and 2
// (12, 16, 64) and Windows' versions.
func isBMPHeader(size uint32) bool {
	switch size {
	case 12, 16, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

// readBMPHead reads the header and finds the color table.
func readBMPHead(data []byte) (bmpHead, error) {
	var h bmpHead
	if len(data) < 26 {
		return h, damaged("the BMP ends within its header")
	}
	size := int(binary.LittleEndian.Uint32(data[14:]))
	if !isBMPHeader(uint32(size)) || 14+size > len(data) {
		return h, damaged("the header of the BMP is cut off")
	}
	h.pixels = int(binary.LittleEndian.Uint32(data[10:]))
	b := data[14 : 14+size]
	if size == 12 {
		h.width, h.height, h.entry = int(binary.LittleEndian.Uint16(b[4:])), int(binary.LittleEndian.Uint16(b[6:])), 3
		h.bits = int(binary.LittleEndian.Uint16(b[10:]))
	} else {
		h.width, h.height, h.entry = int(int32(binary.LittleEndian.Uint32(b[4:]))), int(int32(binary.LittleEndian.Uint32(b[8:]))), 4
		h.bits = int(binary.LittleEndian.Uint16(b[14:]))
	}
	if size >= 20 {
		h.compression = binary.LittleEndian.Uint32(b[16:])
	}
	if h.height < 0 {
		h.height, h.topDown = -h.height, true
	}
	if err := h.check(size); err != nil {
		return h, err
	}
	end := 14 + size + h.readMasks(data, size)
	if h.pixels < end || h.pixels >= len(data) {
		return h, damaged("the BMP ends before its pixels, or says that they are where they cannot be")
	}
	if h.bits <= 8 {
		h.colors = data[end:min(h.pixels, end+h.entry<<h.bits)]
	}
	return h, nil
}

// check refuses what no decoder below reads.
func (h *bmpHead) check(size int) error {
	ok := false
	switch h.compression {
	case bmpRGB:
		ok = h.bits == 1 || h.bits == 2 || h.bits == 4 || h.bits == 8 || h.bits == 16 || h.bits == 24 || h.bits == 32
	case bmpRLE8:
		ok = h.bits == 8
	case bmpRLE4:
		ok = h.bits == 4
	case bmpBitfields, bmpAlpha:
		ok = (h.bits == 16 || h.bits == 32) && size >= 40 && size != 64
	case 4, 5:
		return unsupported("this BMP wraps a JPEG or a PNG for a printer, which is not read")
	}
	if !ok {
		return unsupported("a BMP with %d bits a pixel and compression %d is not read", h.bits, h.compression)
	}
	return nil
}

// readMasks sets where the colors lie in 16 and 32 bits and returns how many
// bytes after the header say so.
func (h *bmpHead) readMasks(data []byte, size int) int {
	h.masks = [3]uint32{0xff0000, 0xff00, 0xff}
	if h.bits == 16 {
		h.masks = [3]uint32{0x7c00, 0x3e0, 0x1f}
	}
	if h.compression != bmpBitfields && h.compression != bmpAlpha {
		return 0
	}
	if len(data) >= 14+40+12 { // in the header from its version 2 on, behind it before
		for i := range h.masks {
			h.masks[i] = binary.LittleEndian.Uint32(data[14+40+4*i:])
		}
	}
	switch {
	case size > 40:
		return 0
	case h.compression == bmpAlpha:
		return 16
	}
	return 12
}

func openBMP(p *picture) error {
	h, err := readBMPHead(p.data)
	if err != nil {
		return err
	}
	p.a.Width, p.a.Height, p.a.Frames, p.a.Decoder = h.width, h.height, 1, "semblance bmp 1"
	if err := p.checkSize("BMP", h.width, h.height, int64(h.width)*int64(max(h.height, 0))); err != nil {
		return err
	}
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) { yield(p.decodeBMP(&h)) }
	return nil
}

func (p *picture) decodeBMP(h *bmpHead) (*semblance.Frame, error) {
	f := newFrame(0, h.width, h.height)
	data := p.data[h.pixels:]
	var rows int
	if h.compression == bmpRLE8 || h.compression == bmpRLE4 {
		rows = h.runs(f, data)
	} else {
		rows = h.plain(f, data)
	}
	if rows == 0 {
		return nil, damaged("the BMP ends before its first row")
	}
	if rows < h.height {
		p.partial("truncated after %d%% of the rows", percent(rows, h.height))
		for i := rows; i < h.height; i++ {
			row := h.row(f, i)
			for x := range row {
				row[x] = fill
			}
		}
	}
	return f, nil
}

// row is the i-th row in the file.
func (h *bmpHead) row(f *semblance.Frame, i int) []byte {
	if !h.topDown {
		i = h.height - 1 - i
	}
	return f.RGB[3*i*h.width : 3*(i+1)*h.width]
}

// plain reads uncompressed rows, as many as there are.
func (h *bmpHead) plain(f *semblance.Frame, data []byte) int {
	stride := (h.width*h.bits + 31) / 32 * 4
	used := (h.width*h.bits + 7) / 8 // the padding of the last row is often missing
	for i := range h.height {
		if i*stride+used > len(data) {
			return i
		}
		h.plainRow(h.row(f, i), data[i*stride:i*stride+used])
	}
	return h.height
}

func (h *bmpHead) plainRow(to, from []byte) {
	switch h.bits {
	case 24:
		for x := 0; x < len(to); x += 3 {
			to[x], to[x+1], to[x+2] = from[x+2], from[x+1], from[x]
		}
	case 16, 32:
		for x := range h.width {
			var v uint32
			if h.bits == 16 {
				v = uint32(binary.LittleEndian.Uint16(from[2*x:]))
			} else {
				v = binary.LittleEndian.Uint32(from[4*x:])
			}
			for c, mask := range h.masks {
				to[3*x+c] = sample(v, mask)
			}
		}
	default:
		for x := range h.width {
			shift := 8 - h.bits - x*h.bits%8
			h.index(to[3*x:3*x+3], int(from[x*h.bits/8]>>shift)&(1<<h.bits-1))
		}
	}
}

// sample scales the bits under a mask to 8.
func sample(v, mask uint32) byte {
	if mask == 0 {
		return 0
	}
	shift := bits.TrailingZeros32(mask)
	return byte(uint64(v&mask>>shift) * 255 / uint64(mask>>shift))
}

// index looks a color up; black beyond the table.
func (h *bmpHead) index(to []byte, i int) {
	if at := i * h.entry; at+3 <= len(h.colors) {
		to[0], to[1], to[2] = h.colors[at+2], h.colors[at+1], h.colors[at]
	}
}

// runs reads run lengths (RLE8, RLE4) and returns how many rows were begun
// or passed over. Pixels that no run names have index 0.
func (h *bmpHead) runs(f *semblance.Frame, data []byte) int {
	x, y := 0, 0
	for i := range h.height {
		row := h.row(f, i)
		for at := 0; at < len(row); at += 3 {
			h.index(row[at:at+3], 0)
		}
	}
	put := func(v byte, odd bool) {
		if h.bits == 4 {
			if !odd {
				v >>= 4
			}
			v &= 15
		}
		if x < h.width && y < h.height {
			to := h.row(f, y)[3*x : 3*x+3]
			to[0], to[1], to[2] = 0, 0, 0
			h.index(to, int(v))
		}
		x++
	}
	for len(data) >= 2 && y < h.height {
		n, v := int(data[0]), data[1]
		data = data[2:]
		switch {
		case n > 0:
			for i := range n {
				put(v, i%2 == 1)
			}
		case v == 0:
			x, y = 0, y+1
		case v == 1:
			return h.height
		case v == 2:
			if len(data) < 2 {
				return y
			}
			x, y, data = x+int(data[0]), y+int(data[1]), data[2:]
		default:
			size := (int(v)*h.bits + 7) / 8
			for i := range int(v) {
				if at := i * h.bits / 8; at < len(data) {
					put(data[at], i%2 == 1)
				}
			}
			data = data[min(len(data), (size+1)/2*2):]
		}
	}
	return min(y, h.height)
}
