package hashing

import (
	"fmt"
	"strings"
)

// An Algorithm names one way to hash, including its version where several
// programs use the same word for different things. Values of different
// algorithms are never comparable.
type Algorithm string

// The algorithms of this package. The 64-bit perceptual hashes carry the name
// of the implementation that defines them.
const (
	AlgorithmMD5    Algorithm = "md5"
	AlgorithmSHA1   Algorithm = "sha1"
	AlgorithmSHA256 Algorithm = "sha256"
	AlgorithmPDQ    Algorithm = "pdq"
	AlgorithmPHash  Algorithm = "phash/goimagehash-1"
	AlgorithmDHash  Algorithm = "dhash/goimagehash-1"
	AlgorithmAHash  Algorithm = "ahash/goimagehash-1"
)

// Algorithms returns every algorithm that this package computes, digests first. Those
// whose values are only supplied ([Algorithm.IsSupplied]) are not among them.
func Algorithms() []Algorithm {
	return []Algorithm{
		AlgorithmMD5, AlgorithmSHA1, AlgorithmSHA256,
		AlgorithmPDQ, AlgorithmPHash, AlgorithmDHash, AlgorithmAHash,
	}
}

// ParseAlgorithm returns the algorithm of a name. It ignores case and
// surrounding space and knows the usual other spellings: "SHA-256",
// "sha2-256", and "phash", "dhash", "ahash" or "p", "d", "a" for the 64-bit
// hashes. "photodna" and the names of own algorithms ([OwnAlgorithm]) are known too. An
// unknown name is a *SyntaxError.
func ParseAlgorithm(name string) (Algorithm, error) {
	s := strings.ToLower(strings.TrimSpace(name))
	switch s {
	case "md5":
		return AlgorithmMD5, nil
	case "sha1", "sha-1":
		return AlgorithmSHA1, nil
	case "sha256", "sha-256", "sha2-256":
		return AlgorithmSHA256, nil
	case "pdq":
		return AlgorithmPDQ, nil
	case "phash", "p", string(AlgorithmPHash):
		return AlgorithmPHash, nil
	case "dhash", "d", string(AlgorithmDHash):
		return AlgorithmDHash, nil
	case "ahash", "a", string(AlgorithmAHash):
		return AlgorithmAHash, nil
	case "photodna", "pdna", "photo-dna":
		return AlgorithmPhotoDNA, nil
	}
	if a, ok := videoAlgorithm(s); ok {
		return a, nil
	}
	if a := Algorithm(s); a.IsSupplied() {
		return a, nil
	}
	return "", &SyntaxError{Msg: fmt.Sprintf("no algorithm is called %q; known are md5, sha1, sha256, pdq, phash, dhash, ahash, photodna, vpdq, vpdq-keyframes, vpdq-upright, vpdq-mirrored and tmk", clip(s))}
}

// Bits returns the length of a value in bits, of one frame for vPDQ, 0 for TMK and an
// unknown algorithm.
func (a Algorithm) Bits() int {
	switch a {
	case AlgorithmMD5:
		return 128
	case AlgorithmSHA1:
		return 160
	case AlgorithmSHA256, AlgorithmPDQ, AlgorithmVPDQ, AlgorithmVPDQKeyframes, AlgorithmVPDQUpright, AlgorithmVPDQMirrored:
		return 256
	case AlgorithmPHash, AlgorithmDHash, AlgorithmAHash:
		return 64
	case AlgorithmPhotoDNA:
		return 8 * photoDNABytes
	}
	_, n := a.shape()
	return 8 * n
}

// IsDigest reports whether values of a are equal only for equal bytes: a
// candidate by it is exact, and only equality has a meaning.
func (a Algorithm) IsDigest() bool {
	return a == AlgorithmMD5 || a == AlgorithmSHA1 || a == AlgorithmSHA256
}

// IsPerceptual reports whether a is a perceptual hash of this package: its values are
// made here and compared by the number of differing bits. Supplied values
// ([Algorithm.IsSupplied]) are neither perceptual in this sense nor digests.
func (a Algorithm) IsPerceptual() bool {
	return a == AlgorithmPDQ || a == AlgorithmPHash || a == AlgorithmDHash || a == AlgorithmAHash
}

// clip shortens foreign text for a message.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
