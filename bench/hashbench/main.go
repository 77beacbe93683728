// Command hashbench times package hashing on one core on the pictures of a
// dump of bench/hash_peer.py, and compares the hashes with the peer's.
//
//	hashbench bench DIR [SECONDS]   images a second, as hash_peer.py bench prints them
//	hashbench compare DIR           how many bits differ from the peer, by algorithm and kind of picture
//
// Times are processor time. Both sides of the benchmark start from the same bytes in memory. Decoding is
// timed apart and here uses the standard library, which is not the decoder of the
// product.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"syscall"
	"time"

	"semblance/hashing"
)

// An entry is one picture of a dump.
type entry struct {
	Path, Kind, Raw     string
	Width, Height       int
	MD5, SHA1, SHA256   string
	PDQ                 hashing.PDQ
	Quality             int
	Dihedral            [8]hashing.PDQ
	PHash, DHash, AHash hashing.Hash64
}

func main() {
	runtime.GOMAXPROCS(1)
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hashbench:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "compare":
		return compare(args[1], out)
	case len(args) == 2 && args[0] == "bench":
		return bench(args[1], 10*time.Second, out)
	case len(args) == 3 && args[0] == "bench":
		s, err := strconv.ParseFloat(args[2], 64)
		if err != nil {
			return err
		}
		return bench(args[1], time.Duration(s*float64(time.Second)), out)
	}
	return fmt.Errorf("usage: hashbench bench DIR [SECONDS] | hashbench compare DIR")
}

func readIndex(dir string) ([]entry, error) {
	f, err := os.Open(filepath.Join(dir, "index.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []entry
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return all, lines.Err()
		}
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("index.jsonl, line %d: %w", len(all)+1, err)
		}
		all = append(all, e)
	}
}

func (e entry) pixels(dir string) (hashing.Pixels, error) {
	b, err := os.ReadFile(filepath.Join(dir, e.Raw))
	return hashing.Pixels{Pix: b, Width: e.Width, Height: e.Height, Stride: 3 * e.Width, Channels: 3}, err
}

func bench(dir string, d time.Duration, out io.Writer) error {
	all, err := readIndex(dir)
	if err != nil {
		return err
	}
	t := timing{spent: map[string]time.Duration{}}
	for end := time.Now().Add(d); t.pictures == 0 || time.Now().Before(end); {
		for _, e := range all {
			if e.Kind == "whole" {
				if err := t.add(dir, e); err != nil {
					return err
				}
			}
		}
	}
	return json.NewEncoder(out).Encode(t.summary())
}

// processorTime is what this process has used, on all its threads, so other
// work on the machine disturbs less than with a clock on the wall.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // no Unix refuses this
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type timing struct {
	pictures, pixels, undecoded int
	spent                       map[string]time.Duration
}

func (t *timing) add(dir string, e entry) error {
	file, err := os.ReadFile(e.Path)
	if err != nil {
		return err
	}
	p, err := e.pixels(dir)
	if err != nil {
		return err
	}
	start := processorTime()
	if _, _, err := image.Decode(bytes.NewReader(file)); err != nil {
		t.undecoded++ // WebP, for one
	}
	decoded := processorTime()
	sums := hashing.DigestBytes(file)
	digested := processorTime()
	if _, err := hashing.Compute(p, hashing.Options{PDQ: true, PHash: true, DHash: true, AHash: true}); err != nil {
		return err
	}
	hashed := processorTime()
	if _, err := hashing.Compute(p, hashing.Options{PDQ: true}); err != nil {
		return err
	}
	t.spent["decode"] += decoded - start
	t.spent["digests"] += digested - decoded
	t.spent["pdq+phash+dhash+ahash"] += hashed - digested
	t.spent["pdq alone"] += processorTime() - hashed
	t.pictures++
	t.pixels += e.Width * e.Height
	if hex.EncodeToString(sums.SHA256[:]) != e.SHA256 {
		return fmt.Errorf("%s changed since the dump", e.Path)
	}
	return nil
}

func (t *timing) summary() map[string]any {
	n := float64(t.pictures)
	each := map[string]float64{}
	for k, v := range t.spent {
		each[k] = round(v.Seconds() * 1000 / n)
	}
	hash := (t.spent["digests"] + t.spent["pdq+phash+dhash+ahash"]).Seconds()
	return map[string]any{
		"side": "semblance/hashing", "pictures": t.pictures, "megapixels_each": round(float64(t.pixels) / n / 1e6),
		"ms_each": each, "not_decoded": t.undecoded,
		"images_per_s_hashing": round(n / hash), "images_per_s_with_decode": round(n / (hash + t.spent["decode"].Seconds())),
	}
}

func round(v float64) float64 { return float64(int(v*1000+0.5)) / 1000 }

// A tally counts pictures by the number of bits that differ.
type tally map[int]int

func compare(dir string, out io.Writer) error {
	all, err := readIndex(dir)
	if err != nil {
		return err
	}
	tallies := map[string]tally{}
	for _, e := range all {
		p, err := e.pixels(dir)
		if err != nil {
			return err
		}
		got, err := hashing.All(p)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
		e.count(&got, tallies, out)
	}
	names := make([]string, 0, len(tallies))
	for name := range tallies {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(out, "%-20s %s\n", name, tallies[name])
	}
	return nil
}

func (e entry) count(got *hashing.Perceptual, tallies map[string]tally, out io.Writer) {
	add := func(name string, d int) {
		if tallies[name] == nil {
			tallies[name] = tally{}
		}
		tallies[name][d]++
	}
	d := got.PDQ.Hash.Distance(e.PDQ)
	add("pdq", d)
	add("pdq "+e.Kind, d)
	add("pdq quality", max(got.PDQ.Quality-e.Quality, e.Quality-got.PDQ.Quality))
	for i, h := range got.PDQ.Dihedral {
		add("pdq dihedral", h.Distance(e.Dihedral[i]))
	}
	if d != 0 || got.PDQ.Quality != e.Quality {
		fmt.Fprintf(out, "pdq differs: %s %s %dx%d: %d bits, quality %d and %d\n",
			filepath.Base(e.Path), e.Kind, e.Width, e.Height, d, got.PDQ.Quality, e.Quality)
	}
	for name, pair := range map[string][2]hashing.Hash64{
		"phash": {got.PHash, e.PHash}, "dhash": {got.DHash, e.DHash}, "ahash": {got.AHash, e.AHash},
	} {
		d := bits.OnesCount64(uint64(pair[0] ^ pair[1]))
		add(name, d)
		add(name+" "+e.Kind, d)
	}
}

func (t tally) String() string {
	keys := make([]int, 0, len(t))
	n, sum := 0, 0
	for k, v := range t {
		keys = append(keys, k)
		n += v
		sum += k * v
	}
	sort.Ints(keys)
	s := fmt.Sprintf("n=%d mean=%.2f max=%d |", n, float64(sum)/float64(n), keys[len(keys)-1])
	for _, k := range keys {
		s += fmt.Sprintf(" %d:%d", k, t[k])
	}
	return s
}
