package hashing

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrBlank is returned by ParseHashLine for a line that holds no hash on
// purpose: only white space, or a comment that starts with "#".
var ErrBlank = errors.New("the line is blank or a comment")

// Parse reads the text of one value of algorithm a and returns its bytes: hex in
// either case, and for supplied values (PhotoDNA) base64 as well. Wrong length or digits
// are a *SyntaxError.
func Parse(a Algorithm, text string) ([]byte, error) {
	if a.IsVideo() {
		return nil, &SyntaxError{Msg: fmt.Sprintf("a value of %s is a file of its own, not a line of a hash list", a)}
	}
	if a.Bits() == 0 {
		return nil, &SyntaxError{Msg: fmt.Sprintf("no algorithm is called %q", clip(string(a)))}
	}
	if a.IsSupplied() {
		return parseSupplied(a, text)
	}
	out := make([]byte, a.Bits()/8)
	if err := decodeHex(out, text, article(a)); err != nil {
		return nil, err
	}
	return out, nil
}

func article(a Algorithm) string {
	switch a {
	case AlgorithmMD5:
		return "an MD5"
	case AlgorithmSHA1:
		return "a SHA-1"
	case AlgorithmSHA256:
		return "a SHA-256"
	case AlgorithmPDQ:
		return "a PDQ hash"
	}
	return "a 64-bit perceptual hash"
}

// decodeHex fills dst from s, which must have exactly two digits per byte.
func decodeHex(dst []byte, s, what string) error {
	if err := checkDigits(s); err != nil {
		return err
	}
	if len(s) != 2*len(dst) {
		return &SyntaxError{Msg: fmt.Sprintf("%s; %s has %d", countDigits(len(s)), what, 2*len(dst))}
	}
	for i := range dst {
		dst[i] = nibble(s[2*i])<<4 | nibble(s[2*i+1])
	}
	return nil
}

func countDigits(n int) string {
	if n == 1 {
		return "1 hex digit"
	}
	return fmt.Sprintf("%d hex digits", n)
}

// checkDigits refuses the first character that is no hex digit.
func checkDigits(s string) error {
	for i := range len(s) {
		if nibble(s[i]) > 15 {
			r, _ := utf8.DecodeRuneInString(s[i:])
			return &SyntaxError{Msg: fmt.Sprintf("%q at position %d is not a hex digit", r, i+1)}
		}
	}
	return nil
}

// nibble returns the value of a hex digit, 0xff for any other byte.
func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// ParseHashLine reads one line of a plain hash list. It knows
//
//	HEX            by length: 32 digits MD5, 40 SHA-1, 64 SHA-256 or PDQ, 16 a 64-bit hash
//	ALG:HEX        with the name of the algorithm in front ("pdq:", "sha256:", "phash:")
//	photodna:TEXT  192 characters of base64 or 288 hex digits
//	HEX  NAME      as md5sum and sha256sum write it, also HEX *NAME
//	MD5 (NAME) = HEX   as BSD and OpenSSL write it
//
// each also followed by a comma or semicolon and a note. 64 or 16 digits without a name do not
// tell the algorithm, and neither does base64: def, the algorithm that the list is said to hold, then
// decides, and without a fitting def the line is refused. Digits that tell their algorithm
// by length ignore def, because lists mix MD5 and SHA-1. The note is the text after the value or the name
// of the file, without surrounding space. A byte order mark, surrounding space, upper case and
// CRLF are accepted. The error is ErrBlank or a *SyntaxError.
func ParseHashLine(line string, def Algorithm) (alg Algorithm, value []byte, note string, err error) {
	s := strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
	if s == "" || s[0] == '#' {
		return "", nil, "", ErrBlank
	}
	if name, file, text, ok := cutTagged(s); ok {
		return parseNamed(name, text, file)
	}
	escaped := s[0] == '\\'
	if escaped {
		s = s[1:]
	}
	text, note := cutNote(s)
	if escaped {
		note = unescape(note)
	}
	if name, rest, ok := strings.Cut(text, ":"); ok {
		return parseNamed(name, rest, note)
	}
	return parseBare(text, note, def)
}

// cutTagged splits "MD5 (name) = hex" and OpenSSL's "MD5(name)= hex".
func cutTagged(s string) (name, file, text string, ok bool) {
	open, eq := strings.IndexByte(s, '('), strings.LastIndexByte(s, '=')
	if open < 1 || eq < open {
		return "", "", "", false
	}
	file, ok = strings.CutSuffix(strings.TrimRight(s[open+1:eq], " \t"), ")")
	name = strings.TrimSpace(s[:open])
	if !ok || strings.ContainsAny(name, " \t,;:") {
		return "", "", "", false
	}
	return name, file, strings.TrimSpace(s[eq+1:]), true
}

// cutNote splits a value from what follows it.
func cutNote(s string) (text, note string) {
	i := strings.IndexAny(s, ",; \t")
	if i < 0 {
		return s, ""
	}
	text, note = s[:i], strings.TrimSpace(s[i:])
	if c := strings.TrimLeft(note, ",;"); c != note {
		return text, strings.TrimSpace(note[1:])
	}
	// md5sum marks files read in binary mode with a star.
	return text, strings.TrimPrefix(note, "*")
}

// unescape undoes what md5sum does to names with line ends and backslashes.
func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(s)
}

func parseNamed(name, text, note string) (Algorithm, []byte, string, error) {
	alg, err := ParseAlgorithm(name)
	if err != nil {
		return "", nil, "", err
	}
	value, err := Parse(alg, text)
	if err != nil {
		return "", nil, "", err
	}
	return alg, value, note, nil
}

func parseBare(text, note string, def Algorithm) (Algorithm, []byte, string, error) {
	if def.IsSupplied() {
		value, err := parseSupplied(def, text)
		switch digest := isDigestText(text); {
		case digest && err == nil:
			return "", nil, "", &SyntaxError{Msg: fmt.Sprintf(`%s are a digest or a value of %s; write the name of the algorithm and ":" in front`, countDigits(len(text)), def)}
		case err == nil:
			return def, value, note, nil
		case !digest:
			return "", nil, "", err
		}
	}
	alg, err := byLength(text, def)
	if err != nil {
		return "", nil, "", err
	}
	value, err := Parse(alg, text)
	return alg, value, note, err
}

// isDigestText reports whether text tells by its length that it is an MD5 or SHA-1.
func isDigestText(text string) bool {
	return (len(text) == 32 || len(text) == 40) && checkDigits(text) == nil
}

// byLength tells the algorithm of bare digits.
func byLength(text string, def Algorithm) (Algorithm, error) {
	if err := checkDigits(text); err != nil {
		return "", err
	}
	switch len(text) {
	case 32:
		return AlgorithmMD5, nil
	case 40:
		return AlgorithmSHA1, nil
	case 64:
		if def == AlgorithmSHA256 || def == AlgorithmPDQ {
			return def, nil
		}
		return "", &SyntaxError{Unstated: true, Msg: `64 hex digits are a SHA-256 or a PDQ hash; say which the list holds, or write "sha256:" or "pdq:" in front`}
	case 16:
		if def.Bits() == 64 {
			return def, nil
		}
		return "", &SyntaxError{Unstated: true, Msg: `16 hex digits are a pHash, a dHash or an aHash; say which the list holds, or write "phash:", "dhash:" or "ahash:" in front`}
	}
	return "", &SyntaxError{Msg: countDigits(len(text)) + "; an MD5 has 32, a SHA-1 40, a SHA-256 or PDQ 64"}
}
