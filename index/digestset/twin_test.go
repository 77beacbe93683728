package digestset_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index/digestset"
)

// A listSource is a source in memory.
type listSource struct {
	name string
	rows []semblance.DigestRow
	bad  map[int]error // by index
	at   int
	stop func(at int) error // called before each row
}

func (s *listSource) Describe() (semblance.SetSource, int64) {
	return semblance.SetSource{Name: s.name, Format: "test", Unit: "row", Bytes: int64(len(s.rows)), Modified: time.Unix(1e9, 5).UTC(), Head: sha256.Sum256([]byte(s.name))}, int64(len(s.rows))
}

func (s *listSource) Next(ctx context.Context, r *semblance.DigestRow) error {
	if s.stop != nil {
		if err := s.stop(s.at); err != nil {
			return err
		}
	}
	if s.at == len(s.rows) {
		return io.EOF
	}
	*r = s.rows[s.at]
	s.at++
	r.Row = int64(s.at)
	return s.bad[s.at-1]
}

func (s *listSource) Position() semblance.SourcePosition {
	return semblance.SourcePosition{Offset: int64(s.at), Row: int64(s.at)}
}

func (s *listSource) Seek(_ context.Context, at semblance.SourcePosition) error {
	s.at = int(at.Offset)
	return nil
}

func (s *listSource) Sum(context.Context) (semblance.SHA256, error) {
	return sha256.Sum256([]byte("all of " + s.name)), nil
}

// contradicted is the size that a twin has of rows that state several.
const contradicted = -1

// together are two notes as they are said together.
func together(a, b string) string {
	switch {
	case a == "" || b == "":
		return a + b
	case slices.Contains(strings.Split(a, "; "), b):
		return a
	}
	for _, p := range strings.Split(b, "; ") {
		if !slices.Contains(strings.Split(a, "; "), p) {
			a += "; " + p
		}
	}
	return a
}

// A twin is what a set must know, kept plainly.
type twin map[hashing.Algorithm]map[string]semblance.SetRecord

func twinOf(s *listSource) twin {
	out := twin{}
	for i, r := range s.rows {
		if s.bad[i] != nil {
			continue
		}
		for alg, v := range map[hashing.Algorithm][]byte{hashing.AlgorithmMD5: r.MD5, hashing.AlgorithmSHA1: r.SHA1, hashing.AlgorithmSHA256: r.SHA256} {
			if v == nil || hashing.IsTrivial(alg, v) {
				continue
			}
			if out[alg] == nil {
				out[alg] = map[string]semblance.SetRecord{}
			}
			first, there := out[alg][string(v)]
			first.Note = together(first.Note, r.Text)
			if there {
				out[alg][string(v)] = first
			} else {
				out[alg][string(v)] = semblance.SetRecord{Collection: "c", Source: s.name, Record: fmt.Sprint("row ", i+1), Size: r.Size, Note: r.Text}
				continue
			}
			if first.Size > 0 && r.Size > 0 && first.Size != r.Size {
				first.Size = contradicted
				out[alg][string(v)] = first
			}
		}
	}
	return out
}

// someRows makes n rows, some of them repeating digests of earlier ones, with several leading bits in common when skewed.
func someRows(r *rand.Rand, n int, skewed bool) []semblance.DigestRow {
	rows := make([]semblance.DigestRow, n)
	digest := func(size int) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if skewed {
			copy(b, "the same")
			if r.IntN(2) == 0 {
				copy(b[8:], "and on")
			}
		}
		return b
	}
	for i := range rows {
		if i > 0 && r.IntN(10) == 0 {
			rows[i] = rows[r.IntN(i)]
		} else {
			rows[i] = semblance.DigestRow{MD5: digest(16), SHA1: digest(20), SHA256: digest(32), Size: int64(r.IntN(3)) * 1000}
			if r.IntN(2) == 0 {
				rows[i].Text = fmt.Sprint("text ", r.IntN(4))
			}
			switch r.IntN(9) {
			case 0:
				rows[i].MD5 = nil
			case 1:
				rows[i].SHA1 = nil
			}
		}
		if r.IntN(20) == 0 {
			rows[i].Text = fmt.Sprint("later text ", r.IntN(4))
		}
		if r.IntN(40) == 0 {
			rows[i].Size = int64(r.IntN(1 << 30))
		}
	}
	return rows
}

func openLibrary(t testing.TB, dir string, known ...semblance.DigestSet) *digestset.Library {
	t.Helper()
	l, err := digestset.OpenLibrary(dir, digestset.Options{Memory: 8 << 20}, known, []semblance.CollectionID{"c"})
	if err != nil {
		t.Fatal(err)
	}
	digestset.SetLazy(l)
	return l
}

func build(t testing.TB, l *digestset.Library, src *listSource) semblance.DigestSet {
	t.Helper()
	s, err := l.BuildSet(context.Background(), semblance.DigestSet{Collection: "c", Name: src.name}, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.FinishSet(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// agree demands that sets answer as their twin for everything in it, and for what is not.
func agree(l *digestset.Library, want twin, sets ...semblance.DigestSet) error {
	ctx := context.Background()
	if err := l.HoldSets(ctx, "c", 7, sets); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(8, 8))
	for _, alg := range []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256} {
		q := semblance.SetQuery{Algorithm: alg, Collections: []semblance.CollectionID{"c"}}
		for v := range want[alg] {
			q.Values = append(q.Values, []byte(v))
			near := []byte(v) // one bit off: not there, but close to what is
			near[r.IntN(len(near))] ^= 1 << r.IntN(8)
			q.Values = append(q.Values, near)
		}
		for i := range 300 {
			b := make([]byte, alg.Bits()/8)
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			switch i {
			case 0:
				clear(b)
			case 1:
				for j := range b {
					b[j] = 0xff
				}
			}
			q.Values = append(q.Values, b)
		}
		got, err := l.SearchSets(ctx, q)
		if err != nil {
			return err
		}
		for i, v := range q.Values {
			rec, there := want[alg][string(v)]
			switch {
			case !there && len(got[i]) > 0:
				return fmt.Errorf("%s %x: found %v, which is not there", alg, v, got[i])
			case there && len(got[i]) != 1:
				return fmt.Errorf("%s %x: found %d times", alg, v, len(got[i]))
			case there:
				g := got[i][0]
				if rec.Size == contradicted {
					rec.Note = strings.TrimSpace(rec.Note + " (its rows state several sizes)")
				}
				if g.Source != rec.Source || g.Record != rec.Record || g.Size != max(0, rec.Size) || g.Note != rec.Note {
					return fmt.Errorf("%s %x: got %+v, want %+v", alg, v, g, rec)
				}
			}
		}
		records := int64(0)
		for _, s := range sets {
			for _, f := range s.Files {
				if f.Algorithm == alg {
					records += f.Records
				}
			}
		}
		if records != int64(len(want[alg])) {
			return fmt.Errorf("%s: %d records, want %d", alg, records, len(want[alg]))
		}
	}
	return nil
}

func TestSetsAnswerAsATwin(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 127, 128, 129, 1000, 100_000} {
		for _, skewed := range []bool{false, true} {
			for _, run := range []int{0, 1, 37, 5000} {
				if n > 1000 && (skewed || run == 37 || run == 0) || run == 1 && n > 2 {
					continue
				}
				t.Run(fmt.Sprint(n, " rows, skewed ", skewed, ", runs of ", run), func(t *testing.T) {
					t.Parallel()
					l := openLibrary(t, t.TempDir())
					digestset.SetRunRecords(l, run)
					src := &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(uint64(n), 1)), n, skewed)}
					s := build(t, l, src)
					if err := agree(l, twinOf(src), s); err != nil {
						t.Fatal(err)
					}
					if err := l.Verify(s); err != nil {
						t.Error(err)
					}
					c := s.Counts
					if c.Rows != int64(n) || c.Digests != c.Duplicate+c.Trivial+s.Digests() || s.Sources[0].SHA256 != sha256.Sum256([]byte("all of list")) {
						t.Errorf("%+v, %+v", c, s.Sources)
					}
				})
			}
		}
	}
}

// Many digests in one place of the table are found all the same, and quickly enough for
// a test: their place is searched by halves.
func TestSetOfDigestsThatAreNotSpread(t *testing.T) {
	t.Parallel()
	src := &listSource{name: "counted"}
	for i := range 5000 {
		v := make([]byte, 20)
		binary.BigEndian.PutUint64(v[12:], uint64(i+1))
		src.rows = append(src.rows, semblance.DigestRow{SHA1: v})
	}
	l := openLibrary(t, t.TempDir())
	if err := agree(l, twinOf(src), build(t, l, src)); err != nil {
		t.Fatal(err)
	}
}

// What rows of one digest say against each other is counted, and a size that is not sure is none.
func TestSetOfContradictions(t *testing.T) {
	t.Parallel()
	a, b, c, d := slices.Repeat([]byte{1}, 20), slices.Repeat([]byte{2}, 20), slices.Repeat([]byte{3}, 20), hashing.DigestBytes(nil)
	src := &listSource{name: "list", bad: map[int]error{9: &semblance.BadRow{Row: 10, Text: "x\ty", Reason: "it is bad"}, 10: semblance.ErrBlankRow}, rows: []semblance.DigestRow{
		{SHA1: a, Size: 10, Text: "harmless"}, {SHA1: b, Size: 5}, {SHA1: a, Size: 11}, {SHA1: a, Size: 10, Text: "hacker tool"}, {SHA1: b}, {SHA1: c}, {SHA1: c, Size: 9},
		{SHA1: d.SHA1[:], MD5: make([]byte, 16)}, {SHA1: slices.Repeat([]byte{0xff}, 20)}, {}, {}, {SHA1: b, Size: -1},
	}}
	for _, run := range []int{0, 1, 2} {
		l := openLibrary(t, t.TempDir())
		digestset.SetRunRecords(l, run)
		src.at = 0
		s := build(t, l, src)
		want := semblance.SetCounts{Rows: 12, Digests: 10, Duplicate: 4, Trivial: 3, Blank: 1, Bad: 2, Sizes: 1}
		if s.Counts != want {
			t.Errorf("runs of %d: %+v, want %+v", run, s.Counts, want)
		}
		if err := l.HoldSets(t.Context(), "c", 1, []semblance.DigestSet{s}); err != nil {
			t.Fatal(err)
		}
		got, err := l.SearchSets(t.Context(), semblance.SetQuery{Algorithm: hashing.AlgorithmSHA1, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{a, b, c}})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []semblance.SetRecord{
			{Record: "row 1", Note: "harmless; hacker tool (its rows state several sizes)"}, {Record: "row 2", Size: 5}, {Record: "row 6"},
		} {
			want.Collection, want.Set, want.Source = "c", s.ID, "list"
			if len(got[i]) != 1 || got[i][0] != want {
				t.Errorf("runs of %d: %+v, want %+v", run, got[i], want)
			}
		}
		if text := quarantine(t, l, s); text != "row 10\tit is bad\tx y\nrow 12\ta file of -1 bytes cannot be\t\n" {
			t.Errorf("quarantine %q", text)
		}
	}
}

// A source that is not of the format it is said to be is refused, not quarantined to its end.
func TestSetOfTheWrongFormat(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	src := &listSource{name: "list", rows: make([]semblance.DigestRow, 5000), bad: map[int]error{}}
	for i := range src.rows {
		src.bad[i] = &semblance.BadRow{Row: int64(i + 1), Reason: "31 hex digits"}
	}
	_, err := l.BuildSet(t.Context(), semblance.DigestSet{Collection: "c"}, src, nil)
	if semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "" {
		t.Fatal(err)
	}
	src.bad = map[int]error{}
	for i := range src.rows[:3000] {
		if i%2 == 0 {
			src.bad[i] = &semblance.BadRow{Row: int64(i + 1), Reason: "31 hex digits"}
		} else {
			src.rows[i].MD5 = binary.BigEndian.AppendUint64([]byte("12345678"), uint64(i))
		}
	}
	if err := l.EraseSets("c"); err != nil {
		t.Fatal(err)
	}
	src.at = 0
	if s := build(t, l, src); s.Counts.Bad != 1500 || s.Digests() != 1500 {
		t.Errorf("%+v", s.Counts)
	}
}

// Texts for which there is no room together stay those of the first, and it is said.
func TestSetOfLongTexts(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	src := &listSource{name: "list"}
	for i := range 3 {
		src.rows = append(src.rows, semblance.DigestRow{MD5: []byte("0123456789abcdef"), Text: strings.Repeat(fmt.Sprint(i), 200)})
	}
	s := build(t, l, src)
	if err := l.HoldSets(t.Context(), "c", 1, []semblance.DigestSet{s}); err != nil {
		t.Fatal(err)
	}
	got, err := l.SearchSets(t.Context(), semblance.SetQuery{Algorithm: hashing.AlgorithmMD5, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{src.rows[0].MD5}})
	want := strings.Repeat("0", 200) + "; " + strings.Repeat("1", 200) + " (other rows of the same digest say more)"
	if err != nil || got[0][0].Note != want || s.Counts.Texts != 1 || s.Counts.LostTexts {
		t.Errorf("%+v, %v, %+v", got, err, s.Counts)
	}
}

// More different texts than a set keeps are said to be lost, those before stay.
func TestSetOfManyTexts(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	src := &listSource{name: "list"}
	for i := range 20_000 {
		src.rows = append(src.rows, semblance.DigestRow{MD5: binary.BigEndian.AppendUint64([]byte("12345678"), uint64(i)), Text: fmt.Sprint("name ", i)})
	}
	s := build(t, l, src)
	if !s.Counts.LostTexts {
		t.Error("lost texts are not told")
	}
	if err := l.HoldSets(t.Context(), "c", 1, []semblance.DigestSet{s}); err != nil {
		t.Fatal(err)
	}
	got, err := l.SearchSets(t.Context(), semblance.SetQuery{Algorithm: hashing.AlgorithmMD5, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{src.rows[77].MD5, src.rows[19_999].MD5}})
	if err != nil {
		t.Fatal(err)
	}
	if got[0][0].Note != "name 77" || got[1][0].Note == "name 19999" || got[1][0].Note == "" || got[1][0].Record != "row 20000" {
		t.Errorf("%+v", got)
	}
}

var errStopped = errors.New("stopped")
