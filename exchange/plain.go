package exchange

import (
	"bytes"
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
	switch {
	case errors.Is(err, hashing.ErrBlank):
		return semblance.ErrBlankRow
	case err != nil && p.def == "" && digits(line) == 64:
		return semblance.Errorf(semblance.Invalid, "line %d has 64 hex digits, which are a SHA-256 or a PDQ hash, and the list does not say", r.Row).
			WithHint("Say --format sha256 or --format pdq. A list of both has \"sha256:\" or \"pdq:\" in front of each.")
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

// digits counts the hex digits that a line begins with.
func digits(line []byte) int {
	line = bytes.TrimLeft(line, " \t\\")
	for i, c := range line {
		if nibbles[c] > 15 {
			return i
		}
	}
	return len(line)
}
