package hashing

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// A Hash64 is a 64-bit perceptual hash: pHash, dHash or aHash as goimagehash
// defines them. The first pixel or frequency is the highest bit.
type Hash64 uint64

// String returns 16 lower-case hex digits.
func (h Hash64) String() string { return hex.EncodeToString(h.Bytes()) }

// Bytes returns the hash as 8 bytes, highest first.
func (h Hash64) Bytes() []byte { return binary.BigEndian.AppendUint64(nil, uint64(h)) }

// Distance returns how many bits differ, 0 to 64. The hashes must be of one
// algorithm.
func (h Hash64) Distance(o Hash64) int { return bits.OnesCount64(uint64(h ^ o)) }

// MarshalText returns what String returns.
func (h Hash64) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 16 hex digits. It returns a *SyntaxError for anything
// else and then leaves h as it was.
func (h *Hash64) UnmarshalText(text []byte) error {
	v, err := ParseHash64(string(text))
	if err == nil {
		*h = v
	}
	return err
}

// ParseHash64 reads 16 hex digits in either case. Anything else is a
// *SyntaxError.
func ParseHash64(s string) (Hash64, error) {
	var b [8]byte
	if err := decodeHex(b[:], s, "a 64-bit perceptual hash"); err != nil {
		return 0, err
	}
	return Hash64(binary.BigEndian.Uint64(b[:])), nil
}
