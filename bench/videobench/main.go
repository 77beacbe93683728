// Command videobench writes the frames of a film that never was, as rgb24, to standard
// output: scenes of two to seven seconds in which a camera pans over a mosaic, each another one.
//
//	videobench SECONDS FRAMES-A-SECOND WIDTH HEIGHT | ffmpeg -f rawvideo ...
package main

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "videobench:", err)
		os.Exit(1)
	}
}

// A scene is a mosaic, endless in all directions, that a camera pans over.
type scene struct {
	tiles  [16][16][3]byte
	dx, dy float64 // tiles a second
}

func newScene(r *rand.Rand) *scene {
	s := &scene{dx: (r.Float64() - 0.5) * 4, dy: (r.Float64() - 0.5) * 2}
	for y := range s.tiles {
		for x := range s.tiles[y] {
			s.tiles[y][x] = [3]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		}
	}
	return s
}

func run(args []string) error {
	var n [4]int
	if len(args) != len(n) {
		return fmt.Errorf("seconds, frames a second, width and height are needed")
	}
	for i, a := range args {
		v, err := strconv.Atoi(a)
		if err != nil || v < 1 {
			return fmt.Errorf("%q is no number of anything", a)
		}
		n[i] = v
	}
	seconds, rate, width, height := n[0], n[1], n[2], n[3]
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	r := rand.New(rand.NewPCG(2026, 11))
	frame := make([]byte, 3*width*height)
	var now *scene
	for i, until := 0, 0; i < seconds*rate; i++ {
		if i == until {
			now, until = newScene(r), i+2*rate+r.IntN(5*rate)
		}
		now.draw(frame, width, height, float64(i)/float64(rate))
		if _, err := out.Write(frame); err != nil {
			return err
		}
	}
	return out.Flush()
}

// across is how many tiles a picture is wide and high.
const across = 9

func (s *scene) draw(frame []byte, width, height int, t float64) {
	columns := make([]int, width)
	for x := range columns {
		columns[x] = int(math.Floor(float64(x)/float64(width)*across+s.dx*t)) & 15
	}
	for y := range height {
		row := &s.tiles[int(math.Floor(float64(y)/float64(height)*across+s.dy*t))&15]
		for x, c := range columns {
			copy(frame[3*(y*width+x):], row[c][:])
		}
	}
}
