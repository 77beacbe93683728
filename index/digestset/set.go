package digestset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"semblance"
	"semblance/hashing"
)

// A Set is one open file: the digests of one algorithm of a digest set. It is never
// changed and safe for concurrent use.
type Set struct {
	foot
	layout
	path    string
	image   []byte
	about   meta
	start   []byte // the table
	checked []atomic.Uint64
	summed  []atomic.Uint64 // pieces of the sums
	unmap   func() error
	later   runtime.Cleanup
}

// A meta says where the records of a file come from.
type meta struct {
	Sources []semblance.SetSource `json:"sources"`
	Texts   []string              `json:"texts,omitempty"` // of index 1 and up
	// TextsLost says that there were more texts than a file holds: lostText then is the index
	// of a text that was not kept.
	TextsLost bool `json:"texts_lost,omitempty"`
}

// Open opens a file. It reads no more than its ends, so that it takes the same time for
// every size. A file that is damaged, cut short or longer than it was made has code
// Internal.
func Open(path string) (*Set, error) { return openSet(path, true) }

func openSet(path string, random bool) (*Set, error) {
	image, unmap, err := mapFile(path, random)
	if err != nil {
		return nil, unreadable(path, err)
	}
	s := &Set{path: path, image: image, unmap: unmap}
	if err := guarded(s.open); err != nil {
		_ = unmap() // the error that matters is the file's
		return nil, unreadable(path, err)
	}
	return s, nil
}

// openImage opens what a file holds.
func openImage(image []byte) (*Set, error) {
	s := &Set{image: image, unmap: func() error { return nil }}
	return s, s.open()
}

func (s *Set) open() error {
	var err error
	if s.foot, s.layout, err = readFoot(s.image); err != nil {
		return err
	}
	top := s.image[s.top:][:4*s.topLen]
	about := s.image[s.meta:][:s.MetaLen]
	if crc32.Checksum(top, castagnoli) != s.TopSum || crc32.Checksum(about, castagnoli) != s.MetaSum {
		return errDamaged
	}
	if err := json.Unmarshal(about, &s.about); err != nil || len(s.about.Sources) == 0 {
		return errDamaged
	}
	s.start = s.image[s.table:][:4*s.tableLen]
	s.checked = make([]atomic.Uint64, s.sumLen/64+1)
	s.summed = make([]atomic.Uint64, s.topLen/64+1)
	return nil
}

// Close unmaps the file. Nothing of the Set may be used afterwards.
func (s *Set) Close() error {
	s.later.Stop()
	s.image, s.start = nil, nil
	return s.unmap()
}

// unmapLater unmaps the file when nobody reaches the Set any more. What reads the file
// keeps the Set reachable meanwhile.
func (s *Set) unmapLater() {
	s.later = runtime.AddCleanup(s, func(unmap func() error) { _ = unmap() }, s.unmap)
}

// Algorithm returns what the digests are of.
func (s *Set) Algorithm() hashing.Algorithm { return algorithmOf(s.Digest) }

// Len returns the number of records.
func (s *Set) Len() int64 { return int64(s.Records) }

// Sources returns where the records come from.
func (s *Set) Sources() []semblance.SetSource { return s.about.Sources }

// Seal returns a digest of the file's foot, which everything in the file has a part in:
// another file of the same name is told by it without being read.
func (s *Set) Seal() semblance.SHA256 {
	return sha256.Sum256(s.image[len(s.image)-footBytes:])
}

// Verify reads the whole file and demands its SHA-256.
func (s *Set) Verify(want semblance.SHA256) error {
	f, err := os.Open(s.path)
	if err != nil {
		return unreadable(s.path, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return unreadable(s.path, err)
	}
	if semblance.SHA256(h.Sum(nil)) != want {
		return unreadable(s.path, errDamaged)
	}
	return nil
}

// check makes sure of a block (by its number) or a piece of the table (by its number and
// the blocks before it).
func (s *Set) check(n int) error {
	word, bit := &s.checked[n/64], uint64(1)<<(n%64)
	if word.Load()&bit != 0 {
		return nil
	}
	sum, err := s.sum(n)
	if err != nil {
		return err
	}
	if crc32.Checksum(s.part(n), castagnoli) != sum {
		return errDamaged
	}
	word.Or(bit)
	return nil
}

// part returns the bytes that a sum is of.
func (s *Set) part(n int) []byte {
	if n < s.blocks {
		return s.block(n)
	}
	from := pieceBytes * (n - s.blocks)
	return s.start[from:min(len(s.start), from+pieceBytes)]
}

// block returns the bytes of a block of records.
func (s *Set) block(n int) []byte {
	return s.image[headBytes+int64(n)*int64(blockRecords*s.stride):][:s.held(n)*s.stride]
}

// held is how many records are in a block.
func (s *Set) held(n int) int { return int(min(blockRecords, s.Records-uint64(n)*blockRecords)) }

// sum returns the n-th sum, which is made sure of first.
func (s *Set) sum(n int) (uint32, error) {
	all := s.image[s.sums:][:4*s.sumLen]
	p := 4 * n / pieceBytes
	word, bit := &s.summed[p/64], uint64(1)<<(p%64)
	if word.Load()&bit == 0 {
		piece := all[p*pieceBytes : min(len(all), (p+1)*pieceBytes)]
		if crc32.Checksum(piece, castagnoli) != binary.LittleEndian.Uint32(s.image[s.top+4*int64(p):]) {
			return 0, errDamaged
		}
		word.Or(bit)
	}
	return binary.LittleEndian.Uint32(all[4*n:]), nil
}

// guarded runs f, which reads a mapped file. A page that cannot be read, because the
// disk failed or somebody cut the file off, is errDamaged instead of the end of the program.
func guarded(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		r := recover()
		if r == nil {
			return
		}
		if _, fault := r.(interface{ Addr() uintptr }); !fault {
			panic(r)
		}
		err = errDamaged
	}()
	return f()
}
