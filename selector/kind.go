package selector

import (
	"fmt"
	"strings"
)

// Version is the version of this package's rules. It is raised when the same text would
// give other selectors or a selector another value.
const Version = 1

// Signal names what Find gives, with the version.
const Signal = "selector/1"

// A Kind says what a selector is.
type Kind string

// The kinds.
const (
	Phone    Kind = "phone"
	Email    Kind = "email"
	URL      Kind = "url"
	User     Kind = "user"
	Onion    Kind = "onion"
	Wallet   Kind = "wallet"
	Document Kind = "document"
)

// Kinds lists the kinds.
func Kinds() []Kind { return []Kind{Phone, Email, URL, User, Onion, Wallet, Document} }

// ParseKind returns the kind of a name, whose case and surrounding space do not matter.
// An unknown name is a *SyntaxError.
func ParseKind(name string) (Kind, error) {
	switch s := strings.ToLower(strings.TrimSpace(name)); s {
	case "phone", "tel", "telephone", "mobile", "msisdn":
		return Phone, nil
	case "email", "e-mail", "mail", "mailto":
		return Email, nil
	case "url", "link":
		return URL, nil
	case "user", "username", "user name", "nickname", "handle":
		return User, nil
	case "onion", "wallet", "document":
		return Kind(s), nil
	case "bitcoin", "btc", "ethereum", "eth", "monero", "xmr":
		return Wallet, nil
	}
	return "", &SyntaxError{Msg: fmt.Sprintf("%q is not a kind of selector; the kinds are phone, email, url, user, onion, wallet and document", clip(name))}
}

// A Selector is one that was read.
type Selector struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"` // normalized: what is compared
	Raw   string `json:"raw"`   // as it was written
	// Verified says that a checksum within the selector agrees: of wallets that have one
	// and of onion addresses of version 3.
	Verified bool `json:"verified,omitempty"`
}

// A SyntaxError says why a text is not a selector.
type SyntaxError struct {
	Msg string
	// Ambiguous says that the text may be of several kinds, and which is not guessed.
	Ambiguous bool
}

// Error returns the sentence.
func (e *SyntaxError) Error() string { return e.Msg }

func bad(format string, args ...any) error { return &SyntaxError{Msg: fmt.Sprintf(format, args...)} }

// clip shortens foreign text for a message.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return strings.ToValidUTF8(s, "?")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// class tells bytes apart.
type class uint8

const (
	isDigit class = 1 << iota
	isLetter
	isLocal // of an e-mail's local part
	isName  // of a user name
	isHost  // of a host name, with dots
	isURL   // of a URL after its scheme, of ASCII
)

var classes = func() (t [256]class) {
	for c := range t {
		b := byte(c)
		switch {
		case b >= '0' && b <= '9':
			t[c] |= isDigit | isLocal | isName | isHost
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z':
			t[c] |= isLetter | isLocal | isName | isHost
		case b >= 0x80:
			t[c] |= isHost
		}
		if strings.IndexByte("._+-", b) >= 0 {
			t[c] |= isLocal
		}
		if strings.IndexByte("._-", b) >= 0 {
			t[c] |= isName
		}
		if strings.IndexByte(".-", b) >= 0 {
			t[c] |= isHost
		}
		if b > ' ' && b < 0x7f && strings.IndexByte("<>\"{}|\\^`", b) < 0 {
			t[c] |= isURL
		}
	}
	return t
}()

func is(b byte, c class) bool { return classes[b]&c != 0 }

func isAlnum(b byte) bool { return is(b, isDigit|isLetter) }
