// Command videobench writes the frames of a film that never was, as rgb24, to standard
// output: scenes of two to seven seconds in which a few waves drift, each another one.
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

// A wave is a pattern that moves over the picture.
type wave struct{ x, y, speed, phase, red, green, blue float64 }

func scene(r *rand.Rand) []wave {
	waves := make([]wave, 4)
	for i := range waves {
		waves[i] = wave{(r.Float64() - 0.5) * 30, (r.Float64() - 0.5) * 30, (r.Float64() - 0.5) * 3, 7 * r.Float64(), 50 * r.Float64(), 50 * r.Float64(), 50 * r.Float64()}
	}
	return waves
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
	var waves []wave
	for i, until := 0, 0; i < seconds*rate; i++ {
		if i == until {
			waves, until = scene(r), i+2*rate+r.IntN(5*rate)
		}
		draw(frame, waves, width, height, float64(i)/float64(rate))
		if _, err := out.Write(frame); err != nil {
			return err
		}
	}
	return out.Flush()
}

// table is a sine that is looked up: a film has billions of pixels.
var table = func() (t [4096]float64) {
	for i := range t {
		t[i] = math.Sin(2 * math.Pi * float64(i) / float64(len(t)))
	}
	return t
}()

func draw(frame []byte, waves []wave, width, height int, t float64) {
	const turn = 4096 / (2 * math.Pi)
	for y := range height {
		for x := range width {
			r, g, b := 128.0, 128.0, 128.0
			for _, w := range waves {
				at := w.x*float64(x)/float64(width) + w.y*float64(y)/float64(height) + w.speed*t + w.phase
				s := table[int(at*turn)&4095]
				r, g, b = r+w.red*s, g+w.green*s, b+w.blue*s
			}
			p := frame[3*(y*width+x):]
			p[0], p[1], p[2] = level(r), level(g), level(b)
		}
	}
}

func level(v float64) byte { return byte(min(max(v, 0), 255)) }
