package hashing

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// A PDQ is a 256-bit PDQ hash in the order of its text form: the 32 bytes
// that the 64 hex digits spell, which are the reference's 16-bit words w[15]
// to w[0], each highest byte first.
type PDQ [32]byte

// String returns 64 lower-case hex digits.
func (h PDQ) String() string { return hex.EncodeToString(h[:]) }

// Distance returns how many bits differ, 0 to 256.
func (h PDQ) Distance(o PDQ) int {
	n := 0
	for i := 0; i < len(h); i += 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(h[i:]) ^ binary.LittleEndian.Uint64(o[i:]))
	}
	return n
}

// MarshalText returns what String returns.
func (h PDQ) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits. It returns a *SyntaxError for anything
// else and then leaves h as it was.
func (h *PDQ) UnmarshalText(text []byte) error {
	v, err := ParsePDQ(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// ParsePDQ reads 64 hex digits in either case. Anything else is a
// *SyntaxError.
func ParsePDQ(s string) (PDQ, error) {
	var h PDQ
	if err := decodeHex(h[:], s, "a PDQ hash"); err != nil {
		return PDQ{}, err
	}
	return h, nil
}

// MinPDQSide is the smallest width and height that has a PDQ hash. A smaller
// picture has the all-zero hash and quality 0, as in the reference.
const MinPDQSide = 5

// PDQMinQuality is the quality below which the authors of PDQ advise to
// discard a hash: such pictures are nearly featureless and hit one another.
const PDQMinQuality = 50

// A Transform is one of the eight ways to turn and mirror a square.
type Transform uint8

// The transforms in the order of PDQResult.Dihedral and of the reference.
// Rotations are counter-clockwise. FlipX turns upside down (mirrors in the
// horizontal axis) and FlipY exchanges left and right; FlipPlus mirrors in the
// main diagonal (transposes) and FlipMinus in the other one.
const (
	Original Transform = iota
	Rotate90
	Rotate180
	Rotate270
	FlipX
	FlipY
	FlipPlus
	FlipMinus
)

// String returns the reference's word: "original", "rotate90", "rotate180",
// "rotate270", "flipx", "flipy", "flipplus" or "flipminus".
func (t Transform) String() string {
	switch t {
	case Original:
		return "original"
	case Rotate90:
		return "rotate90"
	case Rotate180:
		return "rotate180"
	case Rotate270:
		return "rotate270"
	case FlipX:
		return "flipx"
	case FlipY:
		return "flipy"
	case FlipPlus:
		return "flipplus"
	case FlipMinus:
		return "flipminus"
	}
	return "unknown"
}

// Clockwise is the transform of a picture that is turned by so many degrees clockwise to be
// shown, a multiple of 90 as containers of videos have it.
func Clockwise(degrees int) Transform {
	return [4]Transform{Original, Rotate270, Rotate180, Rotate90}[(degrees/90%4+4)%4]
}

// Mirrored is the transform of a picture whose left and right are exchanged when it is turned
// by one of the rotations, or by none.
func Mirrored(rotation Transform) Transform {
	return [4]Transform{FlipY, FlipMinus, FlipX, FlipPlus}[rotation&3]
}

// A PDQResult is the PDQ hash of one picture.
type PDQResult struct {
	Hash PDQ
	// Quality is 0 (flat) to 100; see PDQMinQuality.
	Quality int
	// Dihedral holds the hashes of the picture turned and mirrored, indexed by
	// Transform, as the reference derives them from one filtering. They are
	// not the hashes of really turned pixels: those are often more than 31 bits
	// away, see docs/hashing.md. Dihedral[0]
	// equals Hash except for pictures of exactly 64 by 64 pixels: the reference
	// hashes those without filtering but filters them for the dihedral set.
	// All zero when not asked for.
	Dihedral [8]PDQ
	// Turned holds, in the same order, the hashes that the turned and mirrored
	// pixels have, within a few bits (8 at most in 92
	// photographs): sampled from the one filtered picture where
	// a mirrored filter would have put its centers. Use these to find turned copies. All zero
	// when not asked for.
	Turned [8]PDQ
}
