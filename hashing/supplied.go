package hashing

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

// AlgorithmPhotoDNA is Microsoft's PhotoDNA, 144 bytes. It is never computed
// here: values come from lists and from an agency's own licensed program. A value of a
// flat picture can be all zeros, see [IsTrivial].
const AlgorithmPhotoDNA Algorithm = "photodna"

// photoDNABytes is the length of a PhotoDNA value: 6 by 6 cells of 4 numbers.
const photoDNABytes = 144

// A Metric says how values of one algorithm are compared. Lower is closer.
type Metric string

// The metrics.
const (
	Equality      Metric = "equality"       // 0 for equal values; digests have no other distance
	Hamming       Metric = "hamming"        // how many bits differ
	SquaredEuclid Metric = "squared-euclid" // sum of the squared differences of the bytes, as whole numbers; not its root
)

// Metric returns how values of a are compared, of vPDQ those of frames, "" for TMK and
// an unknown algorithm.
func (a Algorithm) Metric() Metric {
	switch {
	case a.IsDigest():
		return Equality
	case a.IsPerceptual(), a.IsVPDQ():
		return Hamming
	case a == AlgorithmPhotoDNA:
		return SquaredEuclid
	}
	m, _ := a.shape()
	return m
}

// Distance is the definition of the metric: plain, one byte after the other. Every
// index proves its fast kernels against it. Values of different lengths, and different
// values under Equality, are as far apart as can be told, which no threshold allows.
func (m Metric) Distance(a, b []byte) int {
	const never = int(^uint(0) >> 1)
	if len(a) != len(b) {
		return never
	}
	sum := 0
	switch m {
	case SquaredEuclid:
		for i := range a {
			d := int(a[i]) - int(b[i])
			sum += d * d
		}
	case Hamming:
		for i := range a {
			sum += bits.OnesCount8(a[i] ^ b[i])
		}
	default:
		if !bytes.Equal(a, b) {
			return never
		}
	}
	return sum
}

// Farthest returns the largest distance that two values of n bytes can have.
func (m Metric) Farthest(n int) int {
	switch m {
	case SquaredEuclid:
		return n * 255 * 255
	case Hamming:
		return 8 * n
	}
	return 0
}

// ownName is the name of an agency's own algorithm: NAME/VERSION/METRIC-BYTES. What has
// to be known to store and compare its values is in the name, so that a list and a
// program that mean something else by the same word do not meet.
var ownName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}/[a-z0-9][a-z0-9._-]{0,19}/(hamming|squared-euclid)-([1-9][0-9]{0,3})$`)

// The lengths that an own algorithm's values can have, in bytes. From 8 on, base64 and
// hexadecimal text of one value have different lengths.
const (
	MinOwnBytes = 8
	MaxOwnBytes = 1024
)

// OwnAlgorithm returns the algorithm of an agency's own program, or of its lists. Names
// and versions have lower-case letters, digits, dots, dashes and underscores.
func OwnAlgorithm(name, version string, m Metric, bytes int) (Algorithm, error) {
	a := Algorithm(fmt.Sprintf("%s/%s/%s-%d", name, version, m, bytes))
	if a.IsSupplied() {
		return a, nil
	}
	return "", &SyntaxError{Msg: fmt.Sprintf("%q cannot name an algorithm; it is NAME/VERSION/METRIC-BYTES with lower-case letters, digits, dots, dashes and underscores, the metric hamming or squared-euclid, and %d to %d bytes",
		clip(string(a)), MinOwnBytes, MaxOwnBytes)}
}

// shape reads metric and length of an own algorithm's name; "" and 0 for another.
func (a Algorithm) shape() (Metric, int) {
	if len(a) < 13 || strings.Count(string(a), "/") != 2 { // most names, without the regular expression
		return "", 0
	}
	m := ownName.FindStringSubmatch(string(a))
	if m == nil {
		return "", 0
	}
	n, _ := strconv.Atoi(m[2])
	if n < MinOwnBytes || n > MaxOwnBytes {
		return "", 0
	}
	return Metric(m[1]), n
}

// IsSupplied reports whether values of a are never made here: they come from lists or
// from an agency's own program.
func (a Algorithm) IsSupplied() bool {
	_, n := a.shape()
	return a == AlgorithmPhotoDNA || n > 0
}

// parseSupplied reads the text of a supplied value: base64, as VICS files have it, or
// hexadecimal digits.
func parseSupplied(a Algorithm, text string) ([]byte, error) {
	n := a.Bits() / 8
	if len(text) == 2*n {
		out := make([]byte, n)
		if err := decodeHex(out, text, string(a)); err != nil {
			return nil, err
		}
		return out, nil
	}
	raw := strings.TrimRight(text, "=")
	if len(raw) == base64.RawStdEncoding.EncodedLen(n) {
		if out, err := base64.RawStdEncoding.Strict().DecodeString(raw); err == nil && len(out) == n {
			return out, nil
		}
	}
	return nil, &SyntaxError{Msg: fmt.Sprintf("%d characters that are no value of %s; it has %d of base64 or %d hex digits",
		len(text), clip(string(a)), base64.StdEncoding.EncodedLen(n), 2*n)}
}

// Text returns the usual text of a value: base64 for PhotoDNA, as VICS files have it,
// hexadecimal digits for everything else.
func (a Algorithm) Text(value []byte) string {
	if a == AlgorithmPhotoDNA {
		return base64.StdEncoding.EncodeToString(value)
	}
	return hex.EncodeToString(value)
}
