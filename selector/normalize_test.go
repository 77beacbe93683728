package selector

import (
	"errors"
	"testing"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind              Kind
		raw, country      string
		want              string // "": refused
		verified, unclear bool
	}{
		{kind: Phone, raw: "tel:+49-171-1234567", want: "+491711234567"},
		{kind: Phone, raw: "0171 1234567", country: "de", want: "+491711234567"},
		{kind: Phone, raw: "0171 1234567"},
		{kind: Phone, raw: "06 1234 5678", country: "IT", want: "+390612345678"},
		{kind: Phone, raw: "+39 06 1234 5678", want: "+390612345678"},
		{kind: Phone, raw: "+52 1 55 1234 5678", want: "+525512345678"},
		{kind: Phone, raw: "+49 1"},
		{kind: Phone, raw: "491711234567@c.us", want: "+491711234567"},
		{kind: Email, raw: "mailto:Jo@Example.ORG?subject=x", want: "jo@example.org"},
		{kind: Email, raw: "jo@EXAMPLE"},
		{kind: Email, raw: "j\u00f6@example.org"},
		{kind: URL, raw: "HTTP://Jo@EXAMPLE.org:443", want: "https://example.org/"},
		{kind: URL, raw: "example.org/%7ejo/%e4?a=B%2f", want: "https://example.org/~jo/%E4?a=B%2F"},
		{kind: URL, raw: "https://example.org:8443/a/./b/../c/", want: "https://example.org:8443/a/c/"},
		{kind: URL, raw: "http://[2001:DB8::1]/", want: "https://[2001:db8::1]/"},
		{kind: URL, raw: "javascript://x"},
		{kind: URL, raw: "https://nowhere/"},
		{kind: User, raw: "@Some.One", want: "some.one"},
		{kind: User, raw: "https://t.me/Some_One", want: "some_one"},
		{kind: User, raw: "some one"},
		{kind: Onion, raw: "http://www.DuckDuckGogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion/", want: "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion", verified: true},
		{kind: Wallet, raw: "ethereum:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", want: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", verified: true},
		{kind: Wallet, raw: "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", want: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"},
		{kind: Wallet, raw: "0x0000000000000000000000000000000000000000"},
		{kind: Document, raw: "c01x-00t47", want: "C01X00T47"},
		{kind: Document, raw: "PASSPORT"},
		{kind: "shoe", raw: "42"},
		{kind: User, raw: " "},
	} {
		s, err := Normalize(tt.kind, tt.raw, tt.country)
		if (err == nil) != (tt.want != "") || err == nil && (s.Value != tt.want || s.Verified != tt.verified) {
			t.Errorf("%s %q of %q is %+v, %v; want %q", tt.kind, tt.raw, tt.country, s, err, tt.want)
		}
		if err == nil {
			if again, err := Normalize(tt.kind, s.Value, ""); err != nil || again.Value != s.Value {
				t.Errorf("the value %q is normalized to %q, %v", s.Value, again.Value, err)
			}
		}
	}
}

func TestTell(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Kind{
		"+49 171 1234567": Phone, "jo@example.org": Email, "https://example.org/": URL, "@jo_99": User,
		"duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion": Onion, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": Wallet, "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED": Wallet,
		"0171 1234567": "", "jo_99": "", "C01X00T47": "", "example.org": "", "http://3g2upl4pq6kufc4m.onion/": "",
	} {
		kind, err := Tell(raw)
		var syntax *SyntaxError
		if kind != want || want == "" && !(errors.As(err, &syntax) && syntax.Ambiguous) {
			t.Errorf("%q is %q, %v; want %q", raw, kind, err, want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, tt := range texts {
		f.Add(tt.text, tt.country)
	}
	f.Fuzz(func(t *testing.T, raw, country string) {
		_, _ = Tell(raw)
		for _, kind := range Kinds() {
			s, err := Normalize(kind, raw, country)
			if err != nil {
				continue
			}
			again, err := Normalize(kind, s.Value, "")
			if err != nil || again.Value != s.Value {
				t.Errorf("%s %q is %q, and that is %q, %v", kind, raw, s.Value, again.Value, err)
			}
		}
	})
}
