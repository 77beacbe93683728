package hashing

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"sync"
)

// Digests are the three digests of one file and its length in bytes. As JSON
// it is {"md5","sha1","sha256","size"} with the digests in lower-case hex.
type Digests struct {
	MD5    [md5.Size]byte
	SHA1   [sha1.Size]byte
	SHA256 [sha256.Size]byte
	Size   int64
}

type digestsJSON struct {
	MD5    string `json:"md5"`
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// MarshalJSON writes the digests as hex text.
func (d Digests) MarshalJSON() ([]byte, error) {
	return json.Marshal(digestsJSON{
		MD5: hex.EncodeToString(d.MD5[:]), SHA1: hex.EncodeToString(d.SHA1[:]),
		SHA256: hex.EncodeToString(d.SHA256[:]), Size: d.Size,
	})
}

// UnmarshalJSON reads what MarshalJSON writes; hex may be in either case. A
// value of the wrong length is a *SyntaxError and leaves d as it was.
func (d *Digests) UnmarshalJSON(b []byte) error {
	var j digestsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	out := Digests{Size: j.Size}
	for _, f := range []struct {
		dst  []byte
		text string
		alg  Algorithm
	}{
		{out.MD5[:], j.MD5, AlgorithmMD5},
		{out.SHA1[:], j.SHA1, AlgorithmSHA1},
		{out.SHA256[:], j.SHA256, AlgorithmSHA256},
	} {
		v, err := Parse(f.alg, f.text)
		if err != nil {
			return err
		}
		copy(f.dst, v)
	}
	*d = out
	return nil
}

// Value returns a copy of the digest of algorithm a, nil for an algorithm
// that is not a digest.
func (d Digests) Value(a Algorithm) []byte {
	switch a {
	case AlgorithmMD5:
		return d.MD5[:]
	case AlgorithmSHA1:
		return d.SHA1[:]
	case AlgorithmSHA256:
		return d.SHA256[:]
	}
	return nil
}

// A Digester computes Digests of what is written to it. It is for one
// goroutine. Write never fails.
type Digester struct {
	md5, sha1, sha256 hash.Hash
	size              int64

	// Where the processor makes the three together, these are the states after all
	// whole blocks, the rest waits in tail, and the three above only see the end of it.
	states states
	tail   [digestBlock]byte
}

// digestBlock is the block of all three, in bytes.
const digestBlock = 64

type states struct {
	md5    [4]uint32
	sha1   [5]uint32
	sha256 [8]uint32
}

// firstStates are those of RFC 1321 and FIPS 180-4.
var firstStates = states{
	md5:    [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476},
	sha1:   [5]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
	sha256: [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
}

// DigestsTogether says whether this processor makes the three digests side by side: all
// then take little longer than MD5 alone.
func DigestsTogether() bool { return together }

// NewDigester returns a Digester that has seen no bytes.
func NewDigester() *Digester {
	return &Digester{md5: md5.New(), sha1: sha1.New(), sha256: sha256.New(), states: firstStates}
}

// digestPiece is how much goes through the three digests before the next
// piece: small enough to be still in the first cache for the second and third.
const digestPiece = 16 << 10

// Write adds p.
func (d *Digester) Write(p []byte) (int, error) {
	n := len(p)
	if together {
		d.writeTogether(p)
		return n, nil
	}
	d.size += int64(n)
	for len(p) > 0 {
		k := min(len(p), digestPiece)
		d.md5.Write(p[:k])
		d.sha1.Write(p[:k])
		d.sha256.Write(p[:k])
		p = p[k:]
	}
	return n, nil
}

func (d *Digester) writeTogether(p []byte) {
	if have := int(d.size % digestBlock); have > 0 {
		n := copy(d.tail[have:], p)
		d.size += int64(n)
		p = p[n:]
		if have+n < digestBlock {
			return
		}
		d.states.blocks(d.tail[:])
	}
	d.size += int64(len(p))
	whole := len(p) &^ (digestBlock - 1)
	d.states.blocks(p[:whole])
	copy(d.tail[:], p[whole:])
}

// blocks moves the states over whole blocks. A piece at a time: the kernel cannot be
// interrupted, and the garbage collector may have to wait for it.
func (s *states) blocks(p []byte) {
	for len(p) > 0 {
		k := min(len(p), digestPiece)
		digestBlocks(&s.md5, &s.sha1, &s.sha256, &p[0], k/digestBlock)
		p = p[k:]
	}
}

// Sum returns the digests of everything written so far; more may be written
// after it.
func (d *Digester) Sum() Digests {
	if together {
		d.finish()
	}
	out := Digests{Size: d.size}
	d.md5.Sum(out.MD5[:0])
	d.sha1.Sum(out.SHA1[:0])
	d.sha256.Sum(out.SHA256[:0])
	return out
}

// finish hands the states to the library, which pads and ends a digest.
func (d *Digester) finish() {
	resume(d.md5, "md5\x01", d.states.md5[:], d.tail, d.size)
	resume(d.sha1, "sha\x01", d.states.sha1[:], d.tail, d.size)
	resume(d.sha256, "sha\x03", d.states.sha256[:], d.tail, d.size)
}

// resume sets a hash of the standard library to what it would be after size bytes: its
// MarshalBinary's magic, state, block under way and length.
func resume(h hash.Hash, magic string, state []uint32, tail [digestBlock]byte, size int64) {
	b := append(make([]byte, 0, 4+4*8+digestBlock+8), magic...)
	for _, v := range state {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	n := size % digestBlock
	b = append(b, tail[:n]...)
	b = append(b, make([]byte, digestBlock-n)...)
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(b); err != nil {
		panic("hashing: " + err.Error()) // the form is the library's own, which tests would have shown
	}
}

// Reset forgets everything written.
func (d *Digester) Reset() {
	d.md5.Reset()
	d.sha1.Reset()
	d.sha256.Reset()
	d.states = firstStates
	d.size = 0
}

type digestState struct {
	digester *Digester
	buf      []byte
}

const digestBuffer = 256 << 10

var digestPool = sync.Pool{New: func() any {
	return &digestState{digester: NewDigester(), buf: make([]byte, digestBuffer)}
}}

// Digest reads r to its end, once, and returns the digests. It stops with
// ctx.Err() between reads when ctx ends, and with the error of r when that
// fails. It uses one core: the caller runs one call per core.
func Digest(ctx context.Context, r io.Reader) (Digests, error) {
	st := digestPool.Get().(*digestState)
	defer digestPool.Put(st)
	st.digester.Reset()
	for {
		if err := ctx.Err(); err != nil {
			return Digests{}, err
		}
		n, err := r.Read(st.buf)
		st.digester.Write(st.buf[:n])
		if err == io.EOF {
			return st.digester.Sum(), nil
		}
		if err != nil {
			return Digests{}, err
		}
	}
}

// DigestBytes returns the digests of b.
func DigestBytes(b []byte) Digests {
	return Digests{MD5: md5.Sum(b), SHA1: sha1.Sum(b), SHA256: sha256.Sum256(b), Size: int64(len(b))}
}

// IsTrivial reports whether value says nothing about a file: the digest of
// the empty file, or every bit 0, or every bit 1. Such values stand in real
// hash lists, and searching by them makes every empty or failed file a
// candidate. An empty value is trivial.
func IsTrivial(a Algorithm, value []byte) bool {
	if allBytes(value, 0x00) || allBytes(value, 0xff) {
		return true
	}
	if !a.IsDigest() {
		return false
	}
	return string(value) == string(emptyDigests.Value(a))
}

var emptyDigests = DigestBytes(nil)

func allBytes(value []byte, b byte) bool {
	for _, v := range value {
		if v != b {
			return false
		}
	}
	return true
}
