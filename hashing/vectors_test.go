package hashing_test

import (
	"bufio"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"semblance/hashing"
)

func splitmix(v uint64) uint64 {
	v += 0x9E3779B97F4A7C15
	v = (v ^ v>>30) * 0xBF58476D1CE4E5B9
	v = (v ^ v>>27) * 0x94D049BB133111EB
	return v ^ v>>31
}

// vectorPicture makes the picture of scripts/vectors/pdq_vectors.py.
func vectorPicture(seed, width, height int) hashing.Pixels {
	rem := func(i int, m uint64) int { return int(splitmix(uint64(seed*16+i)) % m) }
	across, down := rem(0, 3000)>>rem(5, 7), rem(2, 3000)>>rem(6, 7)
	noise := rem(4, 80) >> rem(7, 4)
	p := hashing.Pixels{Width: width, Height: height, Stride: 3 * width, Channels: 3}
	for y := range height {
		for x := range width {
			for c := range 3 {
				wave := x*(across+c*rem(1, 300))/width + y*(down+c*rem(3, 300))/height
				v := wave%512 - 256
				v = min(max(v, -v), 255)
				v += int(splitmix(uint64(seed*1000003+(y*width+x)*3+c))%uint64(noise+1)) - noise/2
				p.Pix = append(p.Pix, byte(min(max(v, 0), 255)))
			}
		}
	}
	return p
}

// The hashes and qualities of PyPI pdqhash, all bits of all eight.
func TestPDQEqualsPdqhash(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/vectors/pdq.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		n++
		checkVector(t, strings.Split(lines.Text(), "\t"))
	}
	if n < 30 {
		t.Errorf("only %d vectors were read", n)
	}
}

func checkVector(t *testing.T, f []string) {
	t.Helper()
	var num [4]int
	for i := range num {
		v, err := strconv.Atoi(f[i])
		if err != nil {
			t.Fatal(err)
		}
		num[i] = v
	}
	got, err := hashing.ComputePDQ(vectorPicture(num[0], num[1], num[2]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Quality != num[3] || got.Hash.String() != f[4] {
		t.Errorf("seed %d, %dx%d: %v quality %d, want %s quality %d", num[0], num[1], num[2], got.Hash, got.Quality, f[4], num[3])
	}
	for i, want := range strings.Fields(f[5]) {
		if got.Dihedral[i].String() != want {
			t.Errorf("seed %d, %v: %v, want %s", num[0], hashing.Transform(i), got.Dihedral[i], want)
		}
	}
}

// The hash that the Java port of facebook/ThreatExchange publishes for its
// bridge picture, here from a lossless copy.
func TestPDQOfPublishedPicture(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	if dir == "" {
		t.Skip("SEMBLANCE_TESTDATA names no folder of test pictures")
	}
	f, err := os.Open(filepath.Join(dir, "pdq/misc-images/modes/LA.png"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the test pictures lack pdq/misc-images/modes/LA.png")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := hashing.ComputePDQ(hashing.FromImage(m))
	if err != nil || got.Hash.String() != pdqHex || got.Quality != 100 {
		t.Errorf("%v quality %d, %v; want %s quality 100", got.Hash, got.Quality, err, pdqHex)
	}
}
