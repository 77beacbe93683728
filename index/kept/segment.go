package kept

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"sync/atomic"

	"semblance/hashing"
	"semblance/index/disk"
)

// A segment is a file of rows of one algorithm, written once and never changed. It is read
// as a whole; its checksum is looked at when it is first read.
type segment struct {
	File      string            `json:"file"`
	Algorithm hashing.Algorithm `json:"algorithm"`
	Rows      int               `json:"rows"`
	Base      int64             `json:"base"` // what the rows' sequence numbers are counted from
	Sum       uint32            `json:"sum"`  // CRC-32C of the whole file

	path    string
	checked *atomic.Bool
}

const (
	// segmentRows is the most rows of a segment: 10 MB of PDQ.
	segmentRows = 1 << 18
	headBytes   = 16
	format      = 1
)

var (
	magic = [8]byte{'S', 'M', 'B', 'L', 'K', 'E', 'P', 'T'}
	// errDamaged is what a file says whose bytes are not those that were written.
	errDamaged = errors.New("a file of the index of kept signals is damaged")
)

// rows are the rows of a segment in memory, in the order of sequence numbers.
type rows struct {
	width     int
	values    []byte
	seqs      []int64
	qualities []uint8
}

func (r *rows) add(seq int64, quality int, value []byte) {
	r.values = append(r.values, value...)
	r.seqs = append(r.seqs, seq)
	r.qualities = append(r.qualities, uint8(min(max(quality, 0), 100)))
}

func (r *rows) len() int { return len(r.qualities) }

// image returns the bytes of a file that holds the rows, and what they are counted from.
func (r *rows) image() ([]byte, int64, error) {
	base := r.seqs[0]
	b := append(make([]byte, 0, headBytes+r.len()*(r.width+5)), magic[:]...)
	b = binary.LittleEndian.AppendUint32(b, format)
	b = binary.LittleEndian.AppendUint32(b, uint32(r.len()))
	b = append(b, r.values...)
	for _, s := range r.seqs {
		if s < base || s-base > math.MaxUint32 {
			return nil, 0, errors.New("sequence numbers lie too far apart, or not in order")
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(s-base))
	}
	return append(b, r.qualities...), base, nil
}

// parse reads what image wrote, sequence numbers only when they are asked for.
func (s *segment) parse(b []byte, numbered bool) (*rows, error) {
	width := s.Algorithm.Bits() / 8
	if s.Rows < 1 || s.Rows > segmentRows || width < 8 || len(b) != headBytes+s.Rows*(width+5) || [8]byte(b) != magic ||
		binary.LittleEndian.Uint32(b[8:]) != format || int(binary.LittleEndian.Uint32(b[12:])) != s.Rows {
		return nil, errDamaged
	}
	if !s.checked.Load() {
		if crc32.Checksum(b, disk.Castagnoli) != s.Sum {
			return nil, errDamaged
		}
		s.checked.Store(true)
	}
	b = b[headBytes:]
	r := &rows{width: width, values: b[:s.Rows*width], qualities: b[s.Rows*(width+4):]}
	if numbered {
		r.seqs = make([]int64, s.Rows)
	}
	for i := range r.seqs {
		r.seqs[i] = s.Base + int64(binary.LittleEndian.Uint32(b[s.Rows*width+4*i:]))
	}
	return r, nil
}

// opened opens the segment's file, which has to be as long as it was written.
func (s *segment) opened() (*os.File, int, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, 0, err
	}
	size := headBytes + s.Rows*(s.Algorithm.Bits()/8+5)
	if info, err := f.Stat(); err != nil || info.Size() != int64(size) {
		return nil, 0, errors.Join(err, errDamaged, f.Close())
	}
	return f, size, nil
}

// read reads the segment's file. buf may be used again when the rows are done with.
func (s *segment) read(buf []byte, numbered bool) (*rows, []byte, error) {
	f, size, err := s.opened()
	if err != nil {
		return nil, buf, err
	}
	defer f.Close()
	buf = sized(buf, size)
	if _, err := f.ReadAt(buf, 0); err != nil {
		return nil, buf, err
	}
	r, err := s.parse(buf, numbered)
	return r, buf, err
}

func sized(buf []byte, n int) []byte {
	if cap(buf) >= n {
		return buf[:n]
	}
	return make([]byte, n)
}

// streamRows is how many rows are read at a time: as many as stay in a core's own cache.
const streamRows = 1 << 12

// stream reads the segment's rows, without their numbers, and calls f with some of them at a time
// and the first one's place. What has not been checked is read as a whole.
func (s *segment) stream(buf []byte, f func(first int, r *rows)) ([]byte, error) {
	if !s.checked.Load() {
		r, buf, err := s.read(buf, false)
		if err == nil {
			f(0, r)
		}
		return buf, err
	}
	file, size, err := s.opened()
	if err != nil {
		return buf, err
	}
	defer file.Close()
	width := s.Algorithm.Bits() / 8
	buf = sized(buf, s.Rows+streamRows*width)
	qualities := buf[:s.Rows]
	if _, err := file.ReadAt(qualities, int64(size-s.Rows)); err != nil {
		return buf, err
	}
	for first := 0; first < s.Rows; first += streamRows {
		n := min(streamRows, s.Rows-first)
		values := buf[s.Rows:][:n*width]
		if _, err := file.ReadAt(values, int64(headBytes+first*width)); err != nil {
			return buf, err
		}
		f(first, &rows{width: width, values: values, qualities: qualities[first:][:n]})
	}
	return buf, nil
}
