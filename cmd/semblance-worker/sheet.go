//go:build cgo && native

package main

import (
	"cmp"
	"math"
	"slices"
	"time"

	"semblance"
	"semblance/media"
)

// The size of a contact sheet. Cells are as large as the screen shows a picture that
// nobody has asked to see.
const (
	sheetColumns = 5
	sheetCells   = 25
	cellSide     = 192
	maxSheet     = 512 << 10
)

// A sheet collects cells while a video is decoded, whose length is not known for sure:
// the first frames of scenes, and others where those are few.
type sheet struct {
	side   int
	scenes *media.Roll[cell]
	others *media.Roll[cell]
	scene  bool // the next one begins a scene
}

// A cell is a small upright picture.
type cell struct {
	at       time.Duration
	frame    *semblance.Frame
	contrast float64
}

func newSheet(side int) sheet {
	return sheet{side: min(side, cellSide), scenes: media.NewRoll[cell](sheetCells), others: media.NewRoll[cell](sheetCells)}
}

func (s *sheet) empty() bool { return len(s.scenes.Items) == 0 }

// wants is asked for every frame that is looked at, and tells whether it becomes a cell;
// if so, add follows.
func (s *sheet) wants(scene bool) bool {
	if s.scene = scene; s.side <= 0 {
		return false
	}
	if r := s.roll(); !r.Wants() {
		r.Skip()
		return false
	}
	return true
}

func (s *sheet) roll() *media.Roll[cell] {
	if s.scene {
		return s.scenes
	}
	return s.others
}

func (s *sheet) add(f *semblance.Frame, at time.Duration) {
	if s.side <= 0 {
		return
	}
	small := media.Fit(f, s.side)
	c := cell{at: at, frame: &semblance.Frame{Index: f.Index, Width: small.Width, Height: small.Height, RGB: slices.Clone(small.RGB)}}
	c.contrast = contrast(c.frame)
	s.roll().Keep(c)
}

// contrast is the spread of the green values, of which brightness is mostly made.
func contrast(f *semblance.Frame) float64 {
	sum, squares, n := 0.0, 0.0, float64(f.Width*f.Height)
	for i := 1; i < len(f.RGB); i += 3 {
		v := float64(f.RGB[i])
		sum += v
		squares += v * v
	}
	return math.Sqrt(max(0, squares/n-sum/n*(sum/n)))
}

// cells chooses what is shown, in the order of time.
func (s *sheet) cells() []cell {
	out := spread(s.scenes.Items, sheetCells)
	out = append(slices.Clip(out), spread(s.others.Items, sheetCells-len(out))...)
	slices.SortStableFunc(out, func(a, b cell) int { return cmp.Compare(a.at, b.at) })
	return out
}

// spread takes n things evenly from a list.
func spread(list []cell, n int) []cell {
	if len(list) <= n {
		return list
	}
	out := make([]cell, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// make draws the sheet, and takes the cell with most in it for a thumbnail. Both are nil
// when none was asked for or no frame was looked at.
func (s *sheet) make() (*semblance.ContactSheet, []byte, error) {
	cells := s.cells()
	if len(cells) == 0 {
		return nil, nil, nil
	}
	out := &semblance.ContactSheet{Columns: min(len(cells), sheetColumns), Rows: (len(cells) + sheetColumns - 1) / sheetColumns}
	best := cells[0]
	for _, c := range cells {
		out.Width, out.Height = max(out.Width, c.frame.Width), max(out.Height, c.frame.Height)
		out.Seconds = append(out.Seconds, math.Round(c.at.Seconds()*1000)/1000)
		if c.contrast > best.contrast {
			best = c
		}
	}
	grid := &semblance.Frame{Width: out.Columns * out.Width, Height: out.Rows * out.Height}
	grid.RGB = make([]byte, 3*grid.Width*grid.Height)
	for i, c := range cells {
		x := i%sheetColumns*out.Width + (out.Width-c.frame.Width)/2
		y := i/sheetColumns*out.Height + (out.Height-c.frame.Height)/2
		for row := range c.frame.Height {
			copy(grid.RGB[3*((y+row)*grid.Width+x):], c.frame.RGB[3*row*c.frame.Width:3*(row+1)*c.frame.Width])
		}
	}
	var err error
	if out.JPEG, err = encode(grid, maxSheet); err != nil {
		return nil, nil, err
	}
	thumbnail, err := encode(best.frame, maxThumbnail)
	return out, thumbnail, err
}
