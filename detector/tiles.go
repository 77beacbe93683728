package detector

import (
	"fmt"
	"math"
	"slices"
)

const (
	// surelySeen is the side in pixels of the network's input from which on YuNet saw
	// every one of 33 portraits' faces with a score of 0.7; of 16 pixels it saw 24.
	surelySeen = 24
	// tileSize is the longest side of a tile in pixels of the input, tileOverlap how
	// much of it the next one shows again. No face of up to tileOverlap pixels is cut
	// in all of them, and larger ones are seen at the next scale, a quarter of this.
	tileSize, tileOverlap = 640, 128
	scaleStep             = 4
	// mostEnlarged is how far tiles enlarge the frame: beyond it YuNet sees no more.
	mostEnlarged = 3
	// mostLooks is how many tiles a frame is looked at with where the caller sets no
	// limit: 10 to 20 seconds.
	mostLooks = 900
)

// A plan is what a frame is looked at with besides the whole of it.
type plan struct {
	tiles   []view
	reached int // the smallest face that is looked for: the one asked for, or what the limit allows
}

// planTiles covers the frame so that faces of minFace pixels are surely seen, with
// at most looks tiles' worth of work. coarse is the scale of the look at the whole
// frame.
func planTiles(width, height, minFace int, coarse float64, looks int) plan {
	if minFace <= 0 {
		return plan{}
	}
	scale := min(surelySeen/float64(minFace), mostEnlarged)
	for scale > coarse && work(width, height, scale, coarse) > float64(looks) {
		scale *= 0.97
	}
	p := plan{reached: max(minFace, int(math.Ceil(surelySeen/max(scale, coarse)-1e-9)))}
	for _, s := range scales(scale, coarse) {
		p.tiles = append(p.tiles, tile(width, height, s)...)
	}
	return p
}

// note says what the limit on work left out; empty when nothing.
func (p *plan) note(asked int) string {
	if p.reached <= asked {
		return ""
	}
	return fmt.Sprintf("faces of %d to %d pixels were not looked for, though %d was asked: tiles of so large a picture would be more work than a file may make", asked, p.reached-1, asked)
}

// scales are the finest scale and coarser ones, as long as they show more than the
// look at the whole frame.
func scales(finest, coarse float64) (list []float64) {
	for s := finest; s > coarse; s /= scaleStep {
		list = append(list, s)
	}
	return list
}

// work is how many full tiles the tiles of all scales are worth.
func work(width, height int, finest, coarse float64) float64 {
	sum := 0.0
	for _, s := range scales(finest, coarse) {
		nx, w := parts(float64(width) * s)
		ny, h := parts(float64(height) * s)
		sum += nx * ny * float64(up32(int(w))*up32(int(h))) / (tileSize * tileSize)
	}
	return sum
}

// parts is into how many tiles a length is divided, and how long each is.
func parts(length float64) (n, each float64) {
	if length <= tileSize {
		return 1, max(1, math.Round(length))
	}
	n = math.Ceil((length - tileOverlap) / (tileSize - tileOverlap))
	return n, math.Ceil((length + (n-1)*tileOverlap) / n)
}

// tile covers the frame with tiles of one size, spread evenly.
func tile(width, height int, scale float64) []view {
	nx, w := parts(float64(width) * scale)
	ny, h := parts(float64(height) * scale)
	list := make([]view, 0, int(nx*ny))
	for j := range int(ny) {
		for i := range int(nx) {
			v := view{w: w / scale, h: h / scale, outW: int(w), outH: int(h), planeW: up32(int(w)), planeH: up32(int(h)), tile: true,
				inner: edges{left: i > 0, top: j > 0, right: i+1 < int(nx), bottom: j+1 < int(ny)}}
			if nx > 1 {
				v.x = float64(i) / (nx - 1) * (float64(width) - v.w)
			} else {
				v.w = float64(width)
			}
			if ny > 1 {
				v.y = float64(j) / (ny - 1) * (float64(height) - v.h)
			} else {
				v.h = float64(height)
			}
			list = append(list, v)
		}
	}
	return list
}

// tooMuchToTurn is said where a frame is looked at turned without tiles.
const tooMuchToTurn = "small faces were looked for in the upright picture only: tiles of it turned as well would be more work than a file may make; ask for a larger smallest face, or turn the picture"

// turned are the views, turned.
func turned(views []view, turn int) []view {
	list := slices.Clone(views)
	for i := range list {
		list[i].turn = turn
	}
	return list
}

// tilesWorth is how many full tiles the work of views is.
func tilesWorth(list []view) int {
	sum := 0
	for _, v := range list {
		sum += v.planeW * v.planeH
	}
	return (sum + tileSize*tileSize - 1) / (tileSize * tileSize)
}
