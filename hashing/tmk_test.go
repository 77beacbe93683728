package hashing_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"semblance/hashing"
)

func TestTMKReadsUpstreamSamples(t *testing.T) {
	t.Parallel()
	list := map[string]*hashing.TMK{}
	for _, path := range samples(t, "tmk-sample-hashes/*.tmk") {
		b := readFile(t, path)
		k, err := hashing.ParseTMK(b)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if again, _ := k.MarshalBinary(); !bytes.Equal(again, b) {
			t.Errorf("%s is written differently", filepath.Base(path))
		}
		list[strings.TrimSuffix(filepath.Base(path), ".tmk")] = k
	}
	for name, k := range list {
		if c := k.Compare(k); math.Abs(c.Level1-1) > 1e-4 || math.Abs(c.Level2-1) > 1e-4 || c.Offset != 0 {
			t.Errorf("%s with itself: %+v", name, c)
		}
	}
	// As upstream's README prints them.
	for _, tt := range []struct {
		a, b           string
		level1, level2 float64
	}{
		{"doorknob-hd-no-bar", "pattern-sd-with-large-logo-bar", -0.310042, 0.017566},
		{"pattern-hd-no-bar", "pattern-longer-no-bar", 0.981078, 0.954990},
		{"chair-22-with-small-logo-bar", "chair-orig-22-sd-bar", 0.926403, 0.953071},
		{"chair-orig-22-hd-no-bar", "chair-orig-22-fhd-no-bar", 0.999883, 0.999877},
		{"chair-orig-22-hd-no-bar", "chair-20-sd-bar", 0.732827, 0.742627},
	} {
		a, b := list[tt.a], list[tt.b]
		if a == nil || b == nil {
			continue
		}
		if c := a.Compare(b); math.Abs(c.Level1-tt.level1) > 1e-4 || math.Abs(c.Level2-tt.level2) > 1e-4 {
			t.Errorf("%s and %s: %+v, upstream has %v and %v", tt.a, tt.b, c, tt.level1, tt.level2)
		}
	}
}

// sceneFrame is a frame of a film of scenes of two seconds, each a pattern of blocks.
func sceneFrame(seed uint64, n int) hashing.Pixels {
	r := rand.New(rand.NewPCG(seed, uint64(n/30)))
	var block [64]byte
	for i := range block {
		block[i] = byte(r.Uint32())
	}
	p := hashing.Pixels{Pix: make([]byte, 64*64), Width: 64, Height: 64, Stride: 64, Channels: 1}
	for i := range p.Pix {
		p.Pix[i] = block[i/512*8+i%64/8]
	}
	return p
}

func makeTMK(t testing.TB, seed uint64, from, frames int) *hashing.TMK {
	m := hashing.NewTMKMaker()
	for i := range frames {
		if err := m.Add(sceneFrame(seed, from+i)); err != nil {
			t.Fatal(err)
		}
	}
	return m.Finish()
}

func TestTMKFindsTheOffset(t *testing.T) {
	t.Parallel()
	whole, later, other := makeTMK(t, 1, 0, 900), makeTMK(t, 1, 150, 750), makeTMK(t, 2, 0, 900)
	c := whole.Compare(later)
	if c.Offset < 145 || c.Offset > 155 || c.Level1 < 0.7 || c.Level2 < 0.7 {
		t.Errorf("150 frames later: %+v", c)
	}
	if back := later.Compare(whole); back.Period != c.Period || back.Offset != c.Period-c.Offset {
		t.Errorf("%+v turned around is %+v", c, back)
	}
	if c := whole.Compare(other); c.Level1 > 0.7 && c.Level2 > 0.7 {
		t.Errorf("another scene: %+v", c)
	}
	if whole.Frames != 900 {
		t.Errorf("%d frames", whole.Frames)
	}
	var none hashing.TMK
	empty := hashing.NewTMKMaker().Finish()
	if c := empty.Compare(empty); c.Level1 != 0 || c.Level2 != 0 || none.Level1(whole) != 0 {
		t.Errorf("no frames: %+v", c)
	}
	b, _ := empty.MarshalBinary()
	if _, err := hashing.ParseTMK(b); err != nil {
		t.Errorf("a TMK of no frames: %v", err)
	}
}

func TestTMKRefuses(t *testing.T) {
	t.Parallel()
	good, err := makeTMK(t, 1, 0, 10).MarshalBinary()
	if err != nil || len(good) != hashing.TMKSize {
		t.Fatal(len(good), err)
	}
	word := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
	}
	for name, damage := range map[string]func([]byte) []byte{
		"cut short": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":    func(b []byte) []byte { return append(b, 0) },
		"empty":     func([]byte) []byte { return nil },
		"other kind of file": func(b []byte) []byte {
			copy(b, "TMK1VSTR")
			return b
		},
		"another frame rate":      word(12, 30),
		"another dimension":       word(24, 128),
		"a negative frame count":  word(28, 1<<31),
		"another period":          word(32, 7),
		"a number that is none":   word(5000, math.Float32bits(float32(math.NaN()))),
		"a number without end":    word(5000, math.Float32bits(float32(math.Inf(1)))),
		"a coefficient of others": word(48, math.Float32bits(0.5)),
	} {
		_, err := hashing.ParseTMK(damage(bytes.Clone(good)))
		var se *hashing.SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := hashing.NewTMKMaker().Add(hashing.Pixels{Pix: make([]byte, 300), Width: 10, Height: 10, Stride: 30, Channels: 3}); err == nil {
		t.Error("a frame of another size was taken")
	}
}

func FuzzParseTMK(f *testing.F) {
	good, _ := makeTMK(f, 1, 0, 2).MarshalBinary()
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := hashing.ParseTMK(b)
		if err != nil {
			return
		}
		if again, _ := k.MarshalBinary(); !bytes.Equal(again, b) {
			t.Fatal("it is written differently")
		}
		if c := k.Compare(k); math.IsNaN(c.Level1) || math.IsNaN(c.Level2) {
			t.Fatalf("%+v", c)
		}
	})
}
