package exchange

import (
	"bytes"
	"fmt"

	"semblance"
	"semblance/hashing"
)

// A tskIndex reads an index that hfind of The Sleuth Kit makes of a hash database: lines
// of a digest, "|" and an offset in that database, sorted. The first two name the kind
// of database and its name and begin with zeros. The offset is not kept: the row is the line of the index.
type tskIndex struct {
	alg   hashing.Algorithm
	value [20]byte
}

// tskZeros is what the heading begins with, whatever the digest.
const tskZeros = 40

// isTSKHeader reports whether a line is the first of an index: 41 zeros and a kind.
func isTSKHeader(line []byte) bool {
	n := tskZeros + 1
	return len(line) > n+1 && bytes.Equal(line[:n], bytes.Repeat([]byte("0"), n)) && line[n] == '|'
}

func newTSKIndex(b *base) (Source, error) {
	first, rest, _ := bytes.Cut(b.head, []byte("\n"))
	second, rest, _ := bytes.Cut(rest, []byte("\n"))
	if !isTSKHeader(first) {
		return nil, notOf(b.about.Name, TSKIndex, "its first line does not begin with 41 zeros")
	}
	t := &tskIndex{alg: hashing.AlgorithmSHA1}
	if hash, _, _ := bytes.Cut(rest, []byte("|")); len(hash) == 32 {
		t.alg = hashing.AlgorithmMD5
	}
	b.is(TSKIndex, "line")
	_, kind, _ := bytes.Cut(bytes.TrimSpace(first), []byte("|"))
	_, name, _ := bytes.Cut(bytes.TrimSpace(second), []byte("|"))
	b.about.About = clip(kind)
	if len(name) > 0 {
		b.about.About += ", " + clip(name)
	}
	return b.lines(t.parse), nil
}

func (t *tskIndex) parse(line []byte, r *semblance.DigestRow) error {
	zeros := bytes.Repeat([]byte("0"), tskZeros)
	if r.Row <= 2 && bytes.HasPrefix(line, zeros) || len(bytes.TrimSpace(line)) == 0 {
		return semblance.ErrBlankRow
	}
	hash, offset, ok := bytes.Cut(line, []byte("|"))
	if !ok || len(offset) != 16 {
		return fmt.Errorf("the line is not a digest, a bar and an offset of 16 digits")
	}
	value, err := hexDigest(t.value[:], t.alg, hash)
	if err != nil {
		return err
	}
	if value == nil {
		return errNoDigest
	}
	setDigest(r, t.alg, value)
	return nil
}
