package semblance

import (
	"bytes"
	"encoding/hex"
	"fmt"
)

// A SHA256 addresses media. Its text is 64 lower-case hexadecimal digits.
type SHA256 [32]byte

// String returns the 64 digits.
func (s SHA256) String() string { return hex.EncodeToString(s[:]) }

// Compare orders digests.
func (s SHA256) Compare(o SHA256) int { return bytes.Compare(s[:], o[:]) }

// MarshalText returns the 64 digits.
func (s SHA256) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 64 digits of either case.
func (s *SHA256) UnmarshalText(text []byte) error {
	if len(text) != 64 {
		return fmt.Errorf("a SHA-256 has 64 hexadecimal digits, not %d characters", len(text))
	}
	_, err := hex.Decode(s[:], text)
	return err
}
