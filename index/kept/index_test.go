package kept_test

import (
	"context"
	"errors"
	"iter"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index/kept"
)

func seqOf(list []semblance.KeptValue) iter.Seq2[semblance.KeptValue, error] {
	return func(yield func(semblance.KeptValue, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// flipped is a value with so many bits changed.
func flipped(r *rand.Rand, v []byte, n int) []byte {
	out := slices.Clone(v)
	for _, k := range r.Perm(8 * len(v))[:n] {
		out[k/8] ^= 1 << (k % 8)
	}
	return out
}

func distance(a, b []byte) int {
	n := 0
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// brute is the definition: every value of every frame with every value asked for.
func brute(list []semblance.KeptValue, q semblance.KeptQuery) []int64 {
	var out []int64
	for _, v := range list {
		if v.Algorithm != q.Algorithm || v.Quality < q.Quality {
			continue
		}
		if slices.ContainsFunc(v.Values, func(a []byte) bool {
			return slices.ContainsFunc(q.Values, func(b []byte) bool { return distance(a, b) <= q.Radius })
		}) {
			out = append(out, v.Seq)
		}
	}
	return slices.Compact(out)
}

// library is frames of which some are near the values asked for, exactly at the radius and
// one beyond it too.
func library(r *rand.Rand, alg hashing.Algorithm, frames, asked, radius int) (list []semblance.KeptValue, values [][]byte) {
	width := alg.Bits() / 8
	for range asked {
		values = append(values, random(r, width))
	}
	for i := range frames {
		v := semblance.KeptValue{Seq: int64(i/2 + 1), Algorithm: alg, Quality: 40 + r.IntN(61)}
		for range 1 + r.IntN(8) {
			v.Values = append(v.Values, random(r, width))
		}
		if i%3 == 0 && asked > 0 {
			v.Values[r.IntN(len(v.Values))] = flipped(r, values[r.IntN(asked)], min(8*width, max(0, radius-2+r.IntN(4))))
		}
		list = append(list, v)
	}
	return list, values
}

func TestNearIsComplete(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		alg                   hashing.Algorithm
		frames, asked, radius int
	}{
		{hashing.AlgorithmPDQ, 0, 3, 31}, {hashing.AlgorithmPDQ, 1, 1, 31}, {hashing.AlgorithmPDQ, 3000, 0, 31}, {hashing.AlgorithmPDQ, 3000, 1, 31},
		{hashing.AlgorithmPDQ, 1500, 100, 31}, {hashing.AlgorithmPDQ, 1500, 100, 0}, {hashing.AlgorithmPDQ, 300, 50, 63}, {hashing.AlgorithmPDQ, 1000, 50, 1},
		{hashing.AlgorithmPHash, 1500, 100, 4}, {hashing.AlgorithmDHash, 1500, 30, 15}, {hashing.AlgorithmAHash, 300, 30, 0},
	} {
		r := rand.New(rand.NewPCG(uint64(tt.frames), uint64(tt.asked)))
		list, values := library(r, tt.alg, tt.frames, tt.asked, tt.radius)
		x, err := kept.Open(t.TempDir(), kept.Options{Lanes: 2})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Add(t.Context(), seqOf(list)); err != nil {
			t.Fatal(err)
		}
		q := semblance.KeptQuery{Algorithm: tt.alg, Values: values, Radius: tt.radius, Quality: 50}
		want := brute(list, q)
		for plan, near := range kept.Plans(x, q) {
			got, err := near(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = slices.DeleteFunc(got, func(s int64) bool {
				return !slices.Contains(want, s) && tt.alg == hashing.AlgorithmPDQ && transposedNear(list, q, s)
			})
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d frames, %d values within %d, %s: %d media, want %d", tt.alg, tt.frames, tt.asked, tt.radius, plan, len(got), len(want))
			}
		}
	}
}

// crowded is frames and values that crowd: many have half of their bits in common, others
// lie around a few values, and some of both are near each other by the radius and one more.
func crowded(r *rand.Rand, alg hashing.Algorithm, frames, asked, radius int) (list []semblance.KeptValue, values [][]byte) {
	width := alg.Bits() / 8
	var centers [][]byte
	for range 3 {
		centers = append(centers, random(r, width))
	}
	value := func() []byte {
		v := random(r, width)
		switch r.IntN(4) {
		case 0:
			clear(v[width/2:])
			return flipped(r, v, r.IntN(3))
		case 1:
			return flipped(r, centers[r.IntN(3)], r.IntN(2*radius+1))
		case 2:
			return flipped(r, make([]byte, width), r.IntN(radius+1))
		}
		return v
	}
	for range asked {
		values = append(values, value())
	}
	for i := range frames {
		v := semblance.KeptValue{Seq: int64(i + 1), Algorithm: alg, Quality: 40 + r.IntN(61), Values: [][]byte{value()}}
		if i%3 == 0 {
			v.Values = append(v.Values, flipped(r, values[r.IntN(asked)], radius+r.IntN(2)))
		}
		list = append(list, v)
	}
	return list, values
}

// TestNearIsCompleteWhereValuesCrowd compares every way with the definition.
func TestNearIsCompleteWhereValuesCrowd(t *testing.T) {
	t.Parallel()
	gated := 0
	for _, tt := range []struct {
		alg                   hashing.Algorithm
		frames, asked, radius int
	}{
		{hashing.AlgorithmPDQ, 1, 1, 31}, {hashing.AlgorithmPDQ, 2, 2, 31}, {hashing.AlgorithmPDQ, 1000, 1, 31}, {hashing.AlgorithmPDQ, 2, 1000, 31}, {hashing.AlgorithmPDQ, 1000, 1000, 31},
		{hashing.AlgorithmPDQ, 1000, 200, 7}, {hashing.AlgorithmPHash, 1000, 1000, 4}, {hashing.AlgorithmDHash, 1000, 100, 10},
	} {
		r := rand.New(rand.NewPCG(uint64(tt.frames), uint64(tt.asked)))
		list, values := crowded(r, tt.alg, tt.frames, tt.asked, tt.radius)
		x, err := kept.Open(t.TempDir(), kept.Options{Lanes: 2})
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Add(t.Context(), seqOf(list)); err != nil {
			t.Fatal(err)
		}
		q := semblance.KeptQuery{Algorithm: tt.alg, Values: values, Radius: tt.radius, Quality: 50}
		asked := q
		if tt.alg == hashing.AlgorithmPDQ {
			asked.Values = nil
			for _, v := range values {
				asked.Values = append(asked.Values, v, kept.Transpose(v))
			}
		}
		want := brute(list, asked)
		for plan, near := range kept.Plans(x, q) {
			if strings.HasPrefix(plan, "gate") {
				gated++
			}
			if got, err := near(t.Context()); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, %d frames, %d values within %d, %s: %d media, %v, want %d", tt.alg, tt.frames, tt.asked, tt.radius, plan, len(got), err, len(want))
			}
		}
	}
	if gated == 0 {
		t.Error("no gate was tried")
	}
}

// transposedNear is what may be named besides: a media whose transposed value is near.
func transposedNear(list []semblance.KeptValue, q semblance.KeptQuery, seq int64) bool {
	turned := slices.Clone(list)
	turned = slices.DeleteFunc(turned, func(v semblance.KeptValue) bool { return v.Seq != seq })
	for i := range turned {
		var values [][]byte
		for _, v := range turned[i].Values {
			values = append(values, kept.Transpose(v))
		}
		turned[i].Values = values
	}
	return len(brute(turned, q)) > 0
}

// TestTransposedHash holds that a transposed picture's hash is the transposed hash, on
// which half of the memory rests.
func TestTransposedHash(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		p := hashing.Pixels{Width: 70 + r.IntN(60), Height: 70 + r.IntN(60), Channels: 3}
		p.Pix, p.Stride = random(r, p.Width*p.Height*3), p.Width*3
		c, err := hashing.Compute(p, hashing.Options{PDQ: true, Turned: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, pair := range [][2]hashing.Transform{{hashing.Original, hashing.FlipPlus}, {hashing.FlipX, hashing.Rotate270}, {hashing.FlipY, hashing.Rotate90}, {hashing.Rotate180, hashing.FlipMinus}} {
			a, b := c.PDQ.Turned[pair[0]], c.PDQ.Turned[pair[1]]
			if string(kept.Transpose(a[:])) != string(b[:]) {
				t.Errorf("%v and %v are not transpositions of each other", pair[0], pair[1])
			}
		}
	}
}

// TestTransposeByDefinition compares with moving bit by bit.
func TestTransposeByDefinition(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(13, 14))
	for range 100 {
		v, want := random(r, 32), make([]byte, 32)
		for k := range 256 {
			if v[31-k/8]>>(k%8)&1 == 1 {
				to := k%16*16 + k/16
				want[31-to/8] |= 1 << (to % 8)
			}
		}
		if got := kept.Transpose(v); string(got) != string(want) {
			t.Fatalf("%x becomes %x, want %x", v, got, want)
		}
	}
}

func TestHalfOfTheTurnedHashesIsKept(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	var values [][]byte
	for range 4 {
		v := random(r, 32)
		values = append(values, v, kept.Transpose(v))
	}
	x, err := kept.Open(t.TempDir(), kept.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(t.Context(), seqOf([]semblance.KeptValue{{Seq: 7, Algorithm: hashing.AlgorithmPDQ, Quality: 100, Values: values}})); err != nil {
		t.Fatal(err)
	}
	if got := kept.Rows(x); got != 4 {
		t.Errorf("%d rows, want 4", got)
	}
	for _, v := range values {
		got, err := x.Near(t.Context(), semblance.KeptQuery{Algorithm: hashing.AlgorithmPDQ, Values: [][]byte{v}})
		if err != nil || !slices.Equal(got, []int64{7}) {
			t.Errorf("Near = %v, %v", got, err)
		}
	}
}

// TestManyAdditions adds frame by frame, opens again in between, and finds everything.
func TestManyAdditions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	list, values := library(r, hashing.AlgorithmPHash, 200, 40, 4)
	dir := t.TempDir()
	for i, v := range list {
		x, err := kept.Open(dir, kept.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if through, err := x.Through(t.Context()); err != nil || i > 0 && through != list[i-1].Seq {
			t.Fatalf("through %d, %v", through, err)
		}
		if err := x.Add(t.Context(), seqOf([]semblance.KeptValue{v})); err != nil {
			t.Fatal(err)
		}
	}
	x, err := kept.Open(dir, kept.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := semblance.KeptQuery{Algorithm: hashing.AlgorithmPHash, Values: values, Radius: 4}
	got, err := x.Near(t.Context(), q)
	if want := brute(list, q); err != nil || !slices.Equal(got, want) {
		t.Errorf("Near = %v, %v, want %v", got, err, want)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.kept")); len(files) > 9 {
		t.Errorf("%d files of %d rows", len(files), kept.Rows(x))
	}
}

// TestBrokenAddition leaves everything as it was.
func TestBrokenAddition(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	list, _ := library(r, hashing.AlgorithmPDQ, 10, 2, 31)
	dir := t.TempDir()
	x, err := kept.Open(dir, kept.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(t.Context(), seqOf(list)); err != nil {
		t.Fatal(err)
	}
	before := kept.Rows(x)
	broken := errors.New("broken")
	err = x.Add(t.Context(), func(yield func(semblance.KeptValue, error) bool) {
		_ = yield(semblance.KeptValue{Seq: 8, Algorithm: hashing.AlgorithmPDQ, Values: [][]byte{random(r, 32)}}, nil) && yield(semblance.KeptValue{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("Add = %v", err)
	}
	if through, _ := x.Through(t.Context()); through != 5 || kept.Rows(x) != before {
		t.Errorf("through %d with %d rows, want 5 with %d", through, kept.Rows(x), before)
	}
	for _, v := range []semblance.KeptValue{
		{Seq: 8, Algorithm: hashing.AlgorithmSHA256, Values: [][]byte{random(r, 32)}}, {Seq: 8, Algorithm: hashing.AlgorithmPDQ, Values: [][]byte{random(r, 31)}}, {Seq: 4, Algorithm: hashing.AlgorithmPDQ},
	} {
		if err := x.Add(t.Context(), seqOf([]semblance.KeptValue{v})); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("Add of %+v = %v", v, err)
		}
	}
}

// TestDamage changes every file at many places: the answer is an error, after which nothing
// is held, and never another answer.
func TestDamage(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 10))
	list, values := library(r, hashing.AlgorithmPDQ, 60, 20, 31)
	q := semblance.KeptQuery{Algorithm: hashing.AlgorithmPDQ, Values: values, Radius: 31}
	whole := t.TempDir()
	x, err := kept.Open(whole, kept.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(t.Context(), seqOf(list)); err != nil {
		t.Fatal(err)
	}
	want, err := x.Near(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(whole, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for range 15 {
			at := r.IntN(len(content))
			damaged := slices.Clone(content)
			damaged[at] ^= 1 << r.IntN(8)
			checkDamage(t, whole, f.Name(), damaged, q, want)
		}
		checkDamage(t, whole, f.Name(), content[:len(content)-1], q, want)
		checkDamage(t, whole, f.Name(), append(slices.Clone(content), 0), q, want)
		checkDamage(t, whole, f.Name(), nil, q, want)
	}
}

func checkDamage(t *testing.T, whole, name string, content []byte, q semblance.KeptQuery, want []int64) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := kept.Open(dir, kept.Options{})
	if err != nil {
		t.Fatal(err)
	}
	through, _ := x.Through(context.Background())
	got, err := x.Near(context.Background(), q)
	after, _ := x.Through(context.Background())
	if through != 0 && err == nil && !slices.Equal(got, want) || err != nil && after != 0 {
		t.Errorf("%s damaged: %d media, %v, held through %d and then %d", name, len(got), err, through, after)
	}
}

func TestAnotherStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mark := "a"
	opts := kept.Options{Mark: func() (string, error) { return mark, nil }, Known: func(m string) (bool, error) { return m == mark, nil }}
	for _, tt := range []struct {
		mark string
		want int64
	}{{"a", 0}, {"a", 3}, {"b", 0}} {
		mark = tt.mark
		x, err := kept.Open(dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		if through, err := x.Through(t.Context()); err != nil || through != tt.want {
			t.Errorf("store %s: through %d, %v, want %d", mark, through, err, tt.want)
		}
		if err := x.Add(t.Context(), seqOf([]semblance.KeptValue{{Seq: 3}})); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFiles reads foreign bytes as the files of a folder.
func FuzzFiles(f *testing.F) {
	dir := f.TempDir()
	x, err := kept.Open(dir, kept.Options{})
	if err != nil {
		f.Fatal(err)
	}
	r := rand.New(rand.NewPCG(11, 12))
	list, values := library(r, hashing.AlgorithmPDQ, 4, 2, 31)
	if err := x.Add(context.Background(), seqOf(list)); err != nil {
		f.Fatal(err)
	}
	state, err := os.ReadFile(filepath.Join(dir, "state"))
	if err != nil {
		f.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.kept"))
	segment, err := os.ReadFile(names[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state, segment)
	f.Add([]byte("semblance kept signals 1 00000000\n"), []byte{})
	f.Fuzz(func(t *testing.T, state, segment []byte) {
		dir := t.TempDir()
		for name, content := range map[string][]byte{"state": state, filepath.Base(names[0]): segment} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		x, err := kept.Open(dir, kept.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = x.Near(t.Context(), semblance.KeptQuery{Algorithm: hashing.AlgorithmPDQ, Values: values, Radius: 31})
	})
}
