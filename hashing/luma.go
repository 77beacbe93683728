package hashing

// A lumaTable holds the float32 products of every channel value with its
// weight: 0.299 red + 0.587 green + 0.114 blue, added from left to right, as
// the reference does for each pixel.
type lumaTable [3][256]float32

func newLumaTable() *lumaTable {
	var t lumaTable
	for v := range 256 {
		t[0][v] = float32(0.299) * float32(v)
		t[1][v] = float32(0.587) * float32(v)
		t[2][v] = float32(0.114) * float32(v)
	}
	return &t
}

// at returns the luma of the pixel that starts px.
func (l *lumaTable) at(px []byte, channels int) float32 {
	if channels == 1 {
		return float32(px[0])
	}
	return l[0][px[0]] + l[1][px[1]] + l[2][px[2]]
}

// fill writes the luma of a row as row k of the octs.
func (l *lumaTable) fill(dst []oct, k int, row []byte, channels int) {
	k %= rowsAtOnce
	switch channels {
	case 1:
		for x, g := range row[:len(dst)] {
			dst[x][k] = float32(g)
		}
	case 3:
		for x := range dst {
			px := (*[3]byte)(row[3*x : 3*x+3])
			dst[x][k] = l[0][px[0]] + l[1][px[1]] + l[2][px[2]]
		}
	default:
		for x := range dst {
			px := (*[4]byte)(row[4*x : 4*x+4])
			dst[x][k] = l[0][px[0]] + l[1][px[1]] + l[2][px[2]]
		}
	}
}

// lumaRowsGeneric writes the luma of rows of RGB, from a column on.
func lumaRowsGeneric(l *lumaTable, dst []oct, rows *[rowsAtOnce][]byte, from int) {
	for k, row := range rows {
		l.fill(dst[from:], k, row[3*from:], 3)
	}
}

// square returns the luma of a picture of 64 by 64 pixels.
func (l *lumaTable) square(p Pixels) *[pdqSide][pdqSide]float32 {
	var a [pdqSide][pdqSide]float32
	for y := range a {
		row := p.row(y)
		for x := range a[y] {
			a[y][x] = l.at(row[x*p.Channels:], p.Channels)
		}
	}
	return &a
}
