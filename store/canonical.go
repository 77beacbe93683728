package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"

	"semblance"
)

// canonicalEvent returns the bytes that an event's hash is over: its JSON without
// Hash in the form of RFC 8785 (JCS). Anybody can make them again from the event.
func canonicalEvent(ev semblance.AuditEvent) ([]byte, error) {
	ev.Hash = ""
	ev.Time = ev.Time.UTC()
	text, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("audit event %s: %w", ev.Action, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value map[string]any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	delete(value, "hash")
	return appendCanonical(nil, value)
}

func appendCanonical(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendCanonicalString(b, v), nil
	case json.Number:
		return appendCanonicalNumber(b, v)
	case []any:
		return appendCanonicalArray(b, v)
	case map[string]any:
		return appendCanonicalObject(b, v)
	}
	return nil, fmt.Errorf("%T has no JSON", value)
}

func appendCanonicalArray(b []byte, list []any) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendCanonical(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendCanonicalObject(b []byte, object map[string]any) (_ []byte, err error) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int { // RFC 8785, 3.2.3: by UTF-16 code units
		return slices.Compare(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)))
	})
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendCanonicalString(b, name), ':')
		if b, err = appendCanonical(b, object[name]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendCanonicalString follows RFC 8785, 3.2.2.2: as few escapes as JSON allows.
func appendCanonicalString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= 0x20:
			b = append(b, string(r)...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\r':
			b = append(b, `\r`...)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

// maxExact is the largest integer that every reader of JSON keeps exact.
const maxExact = 1 << 53

// appendCanonicalNumber writes numbers as ECMAScript does, which encoding/json
// does too. An integer that a float64 cannot hold becomes a string of its digits,
// because RFC 8785 would have it rounded.
func appendCanonicalNumber(b []byte, n json.Number) ([]byte, error) {
	if i, err := n.Int64(); err == nil && i >= -maxExact && i <= maxExact {
		return strconv.AppendInt(b, i, 10), nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, err
	}
	if isDigits(n.String()) {
		return appendCanonicalString(b, n.String()), nil
	}
	if f == 0 {
		f = 0 // ECMAScript writes no minus before a zero
	}
	text, err := json.Marshal(f)
	if isDigits(string(text)) && math.Abs(f) > maxExact {
		return appendCanonicalString(b, string(text)), err
	}
	return append(b, text...), err
}

func isDigits(s string) bool {
	for i, r := range s {
		if (r < '0' || r > '9') && (i > 0 || r != '-') {
			return false
		}
	}
	return s != ""
}
