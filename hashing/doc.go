// Package hashing turns bytes and pixels into the hashes that media are
// compared by: MD5, SHA-1 and SHA-256 of a file, and PDQ, pHash, dHash and
// aHash of a picture. It also reads and writes their text forms.
//
// PDQ is bit-exact with the C++ reference of facebook/ThreatExchange for the
// same pixels. The three 64-bit hashes equal those of
// github.com/corona10/goimagehash for the same pixels; other programs use the
// same words for other algorithms, so the algorithm names say whose they are.
// docs/hashing.md has the measured agreement with the Python libraries.
//
// The package is pure Go and imports no other package of this module. All
// functions may be called from several goroutines at once.
package hashing
