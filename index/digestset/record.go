package digestset

import (
	"runtime"
	"strconv"

	"semblance"
)

// textLost is said of a record whose text was not kept.
const textLost = "(not kept: the list has more different notes than a set holds)"

// A Record is one digest of a set with what is known of it.
type Record struct {
	Digest []byte
	Source int    // index in Sources
	Row    uint64 // of the source, from 1; the first that has the digest
	Size   int64  // bytes of the file, 0 when unknown or when the rows of the digest state several
	Text   string // the source's notes or categories, the first row's first; "" none
	// Sizes says that the rows of the digest state several, Texts that there are more
	// than are kept.
	Sizes, Texts bool
}

// A row is a record as it is kept: numbers instead of texts.
type row struct {
	source, row, size, text, flags uint64
}

// Record returns the record of a number that Find gave.
func (s *Set) Record(n int64) (Record, error) {
	if n < 0 || uint64(n) >= s.Records {
		return Record{}, semblance.Errorf(semblance.Internal, "the digest set has no record %d", n)
	}
	var out Record
	err := guarded(func() error {
		b := int(n / blockRecords)
		if err := s.check(b); err != nil {
			return err
		}
		digest, r := s.rowAt(b, int(n%blockRecords))
		out.Digest = append(out.Digest, digest...)
		return s.explain(r, &out)
	})
	runtime.KeepAlive(s)
	if err != nil {
		return Record{}, unreadable(s.path, err)
	}
	return out, nil
}

// rowAt reads the k-th record of a block.
func (s *Set) rowAt(b, k int) (digest []byte, r row) {
	block := s.block(b)
	digest = block[k*s.digest:][:s.digest]
	cols := block[s.held(b)*s.digest+k*s.width:]
	next := func(c int) uint64 {
		n := number(cols[:s.Widths[c]])
		cols = cols[s.Widths[c]:]
		return n
	}
	return digest, row{next(colSource), next(colRow), next(colSize), next(colText), next(colFlags)}
}

// explain says in words what a row has in numbers.
func (s *Set) explain(r row, out *Record) error {
	if r.source >= uint64(len(s.about.Sources)) || r.size > 1<<62 {
		return errDamaged
	}
	out.Source, out.Row, out.Size = int(r.source), r.row, int64(r.size)
	out.Sizes, out.Texts = r.flags&flagSizes != 0, r.flags&flagTexts != 0
	switch {
	case r.text == 0:
	case r.text <= uint64(len(s.about.Texts)):
		out.Text = s.about.Texts[r.text-1]
	case s.about.TextsLost && r.text == lostText:
		out.Text = textLost
	default:
		return errDamaged
	}
	return nil
}

// rowName says which row of a source a record is.
func rowName(unit string, n uint64) string { return unit + " " + strconv.FormatUint(n, 10) }
