package selector

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// most is how many bytes of one selector are read.
const most = 2048

// Normalize reads a selector of a kind, as a person or a list wrote it, and returns it
// with the value by which it is compared. country is the ISO 3166-1 alpha-2 code of the
// country whose numbers are written without a country code; "" reads only international
// ones. The error is a *SyntaxError.
func Normalize(kind Kind, raw, country string) (Selector, error) {
	raw = strings.TrimSpace(raw)
	s := Selector{Kind: kind, Raw: raw}
	if raw == "" || len(raw) > most {
		return s, bad("a selector has 1 to %d bytes, and this one %d", most, len(raw))
	}
	var err error
	switch kind {
	case Phone:
		s.Value, err = normalizePhone(raw, country)
	case Email:
		s.Value, err = normalizeEmail(raw)
	case URL:
		s.Value, err = normalizeURL(raw)
	case User:
		s.Value, err = normalizeUser(raw)
	case Onion:
		s.Value, s.Verified, err = normalizeOnion(raw)
	case Wallet:
		s.Value, s.Verified, err = normalizeWallet(raw)
	case Document:
		s.Value, err = normalizeDocument(raw)
	default:
		_, err = ParseKind(string(kind))
	}
	return s, err
}

// Tell returns the kind of a text that can be only one: an e-mail address, an onion
// address, a wallet whose checksum agrees, a URL with its scheme, a phone number with its
// plus, an @name. Anything else is a *SyntaxError that is Ambiguous.
func Tell(raw string) (Kind, error) {
	raw = strings.TrimSpace(raw)
	lower := strings.ToLower(raw)
	switch {
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "ftp://"):
		if _, _, err := normalizeOnion(raw); err == nil && strings.Trim(afterScheme(lower), "/") == hostOf(lower) {
			return "", &SyntaxError{Ambiguous: true, Msg: fmt.Sprintf("%q is a URL or an onion address; write url: or onion: in front", clip(raw))}
		}
		return URL, nil
	case strings.HasPrefix(raw, "+") && countDigits(raw) >= 7:
		return Phone, nil
	case strings.HasPrefix(raw, "@") && !strings.ContainsAny(raw[1:], "@ "):
		return User, nil
	}
	if _, err := normalizeEmail(raw); err == nil {
		return Email, nil
	}
	if _, _, err := normalizeOnion(raw); err == nil {
		return Onion, nil
	}
	if _, verified, err := normalizeWallet(raw); err == nil && (verified || strings.HasPrefix(lower, "0x")) {
		return Wallet, nil
	}
	return "", &SyntaxError{Ambiguous: true, Msg: fmt.Sprintf("%q may be of several kinds; write phone:, email:, url:, user:, onion:, wallet: or document: in front", clip(raw))}
}

func countDigits(s string) (n int) {
	for i := range len(s) {
		if is(s[i], isDigit) {
			n++
		}
	}
	return n
}

// host brings a host name into its ASCII form in lower case.
func host(name string) (string, bool) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "" || len(name) > 253 {
		return "", false
	}
	for i := range len(name) {
		if name[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(name)
			if err != nil {
				return "", false
			}
			name = a
			break
		}
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
		for i := range len(label) {
			if !isAlnum(label[i]) && label[i] != '-' && label[i] != '_' {
				return "", false
			}
		}
	}
	return name, true
}

// known reports whether a host name ends in a top-level domain of the DNS, and has a
// label before it.
func known(name string) bool {
	i := strings.LastIndexByte(name, '.')
	if i < 1 {
		return false
	}
	_, icann := publicsuffix.PublicSuffix(strings.ToLower(name[i+1:]))
	return icann
}

func normalizeEmail(raw string) (string, error) {
	s := raw
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s, _, _ = strings.Cut(s[7:], "?")
	}
	i := strings.LastIndexByte(s, '@')
	if i < 1 || i > 64 {
		return "", bad("%q is not an e-mail address", clip(raw))
	}
	local := s[:i]
	for k := range len(local) {
		if !is(local[k], isLocal) && strings.IndexByte("!#$%&'*/=?^`{|}~", local[k]) < 0 {
			return "", bad("%q is not an e-mail address that is found: the part before the @ has other than ASCII letters, digits and signs", clip(raw))
		}
	}
	domain, ok := host(s[i+1:])
	if !ok || !known(domain) && !strings.HasSuffix(domain, ".onion") || strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return "", bad("%q is not an e-mail address", clip(raw))
	}
	return strings.ToLower(local) + "@" + domain, nil
}

// normalizeUser takes the name of a profile's address, or the name itself.
func normalizeUser(raw string) (string, error) {
	s := raw
	if name := profile(raw); name != "" {
		s = name
	}
	s = strings.ToLower(strings.TrimPrefix(s, "@"))
	if len(s) < 2 || len(s) > 64 || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return "", bad("%q is not a user name: those have 2 to 64 characters and neither begin nor end with a dot", clip(raw))
	}
	for i := range len(s) {
		if !is(s[i], isName) {
			return "", bad("%q is not a user name that is found: those have ASCII letters, digits and the signs . _ -", clip(raw))
		}
	}
	return s, nil
}

var documentText = regexp.MustCompile(`^[A-Z0-9]{5,24}$`)

// normalizeDocument drops what documents are written with besides letters and digits.
func normalizeDocument(raw string) (string, error) {
	s := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' || r == '/' || r == '<' {
			return -1
		}
		return unicode.ToUpper(r)
	}, raw)
	if !documentText.MatchString(s) || countDigits(s) == 0 {
		return "", bad("%q is not a document number: those have 5 to 24 letters and digits, a digit among them", clip(raw))
	}
	return s, nil
}
