package exchange

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"semblance"
	"semblance/hashing"
)

// A plain list has one digest a line, in any of the ways that hashing.ParseHashLine reads.
type plain struct {
	def   hashing.Algorithm
	value [32]byte
}

func newPlain(b *base, def hashing.Algorithm) (Source, error) {
	if def != "" && !def.IsDigest() {
		return nil, semblance.Errorf(semblance.Invalid, "a digest set holds MD5, SHA-1 and SHA-256, not %s", string(def)).
			WithHint("Import the list as entries.")
	}
	b.is(Plain, "line")
	return b.lines((&plain{def: def}).parse), nil
}

// parse reads a line. Bare digits, which long lists have, are read without allocating.
func (p *plain) parse(line []byte, r *semblance.DigestRow) error {
	if alg := p.bare(len(line)); alg != "" && fromHex(p.value[:len(line)/2], line) {
		setDigest(r, alg, p.value[:len(line)/2])
		return nil
	}
	return p.slow(line, r)
}

// bare is what so many digits alone are.
func (p *plain) bare(digits int) hashing.Algorithm {
	switch digits {
	case 32:
		return hashing.AlgorithmMD5
	case 40:
		return hashing.AlgorithmSHA1
	case 64:
		return p.def
	}
	return ""
}

var noteSize = regexp.MustCompile(`(?:^|[,; ])size=(\d{1,15})(?:$|[,; ])`)

func (p *plain) slow(line []byte, r *semblance.DigestRow) error {
	alg, value, note, err := hashing.ParseHashLine(readable(line), p.def)
	var syntax *hashing.SyntaxError
	switch {
	case errors.Is(err, hashing.ErrBlank):
		return semblance.ErrBlankRow
	case errors.As(err, &syntax) && syntax.Unstated && p.def == "":
		return semblance.ErrUnstated(r.Row, syntax)
	case err != nil:
		return err
	case !alg.IsDigest():
		return fmt.Errorf("a digest set holds MD5, SHA-1 and SHA-256, not %s; import such lines as entries", alg)
	}
	if strings.Contains(note, "size=") {
		if m := noteSize.FindStringSubmatch(note); m != nil {
			r.Size, _ = strconv.ParseInt(m[1], 10, 64) // up to 15 digits
			note = strings.Trim(strings.Replace(note, "size="+m[1], "", 1), ",; ")
		}
	}
	r.Text = note
	setDigest(r, alg, value)
	return nil
}

// digestsOnly reports whether the lines that a plain list begins with hold digests, or
// what cannot be read, and no perceptual hashes.
func (b *base) digestsOnly(def hashing.Algorithm) bool {
	for line := range strings.Lines(readable(b.head)) {
		if alg, _, _, err := hashing.ParseHashLine(line, def); err == nil && !alg.IsDigest() {
			return false
		}
	}
	return true
}
