package selector

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// texts are what people write, and what is to be found in it by a case of country: kind
// and value, or nothing.
var texts = []struct {
	name, country, text string
	want                []string
}{
	{"international", "DE", "call me +49 171 1234567 tonight", []string{"phone:+491711234567"}},
	{"national", "DE", "ruf an: 0171/1234567!", []string{"phone:+491711234567"}},
	{"national, bare, with its prefix", "DE", "01711234567", []string{"phone:+491711234567"}},
	{"with two zeros", "DE", "0049 171 1234567", []string{"phone:+491711234567"}},
	{"brackets", "US", "(212) 555-0123 or 212-555-0124", []string{"phone:+12125550123", "phone:+12125550124"}},
	{"plus and zero in brackets", "DE", "+49 (0)171 1234567", []string{"phone:+491711234567"}},
	{"another country's prefix", "NL", "0171 1234567", nil},
	{"no country", "", "0171 1234567, +34 612 34 56 78", []string{"phone:+34612345678"}},
	{"grouped without prefix", "ES", "llama al 612 34 56 78.", []string{"phone:+34612345678"}},
	{"bare without prefix", "ES", "pedido 612345678", nil},
	{"bare behind a word", "ES", `"phone":"612345678"`, []string{"phone:+34612345678"}},
	{"international without plus behind a word", "ES", `"phone": "491711234567"`, []string{"phone:+491711234567"}},
	{"vCard", "ES", "BEGIN:VCARD\nTEL;TYPE=CELL:612345678\nEND:VCARD", []string{"phone:+34612345678"}},
	{"behind another field", "US", `"phone": null, "ts": "2125550123"`, nil},
	{"two numbers beside each other", "DE", "01711234567 01729876543", []string{"phone:+491711234567", "phone:+491729876543"}},
	{"a column of numbers", "DE", "01711234567\n01729876543\t+34612345678", []string{"phone:+491711234567", "phone:+491729876543", "phone:+34612345678"}},
	{"WhatsApp account", "NL", "491711234567@s.whatsapp.net", []string{"phone:+491711234567"}},
	{"WhatsApp group", "NL", "491711234567-1500000000@g.us", []string{"phone:+491711234567"}},
	{"WhatsApp accounts of old numbers", "", "5215512345678@s.whatsapp.net 553188887777@s.whatsapp.net", []string{"phone:+525512345678", "phone:+5531988887777"}},
	{"WhatsApp link", "NL", "https://wa.me/491711234567?text=hi", []string{"phone:+491711234567", "url:https://wa.me/491711234567?text=hi"}},
	{"WhatsApp send link", "", "https://api.whatsapp.com/send?phone=%2B491711234567", []string{"phone:+491711234567", "url:https://api.whatsapp.com/send?phone=%2B491711234567"}},
	{"fullwidth plus", "", "＋49 171 1234567", []string{"phone:+491711234567"}},
	{"file name", "DE", "WhatsApp/Media/+491711234567/IMG-20190504-WA0001.jpg", []string{"phone:+491711234567"}},

	{"longer digits", "DE", "017112345670171123456701711234567", nil},
	{"time stamp", "US", "1546300800 1546300800123 20190504101112", nil},
	{"date and time", "DE", "04.05.2019 10:11:12, 2019-05-04 10:11, 04/05/2019 1011", nil},
	{"IBAN", "DE", "IBAN DE89 3704 0044 0532 0130 00", nil},
	{"card", "US", "4111 1111 1111 1111", nil},
	{"IPv4", "DE", "192.168.178.201 and 10.11.12.13", nil},
	{"coordinates", "DE", "48.137154, 11.576124", nil},
	{"decimals", "DE", "0.123456789 and 3.1415926535", nil},
	{"money", "US", "$2,125,550,123 and 2125550123%", nil},
	{"within letters", "DE", "ID01711234567X and a01711234567", nil},
	{"UUID", "DE", "0b017112-0171-1234-0171-017112345678", nil},
	{"camera's name", "DE", "IMG_20190504_101112.jpg DSC_0171123.JPG", nil},
	{"number in a URL", "DE", "https://example.com/item/01711234567", []string{"url:https://example.com/item/01711234567"}},
	{"version", "DE", "v1.2.3.4567890", nil},
	{"range", "US", "1999-2004 and 1234-5678", nil},

	{"e-mail", "", "Write to <Max.Mustermann+x@Example.COM>.", []string{"email:max.mustermann+x@example.com"}},
	{"e-mail in a name", "", "john@mail.com.jpg", []string{"email:john@mail.com"}},
	{"e-mail before a sentence", "", "a@example.org.Then", []string{"email:a@example.org"}},
	{"international domain", "", "info@müller.de", []string{"email:info@xn--mller-kva.de"}},
	{"coded at", "", "https://x.example.com/?m=jo%40example.org", []string{"url:https://x.example.com/?m=jo%40example.org", "email:jo@example.org"}},
	{"behind a percent code", "", "to%3Djo@example.org", []string{"email:jo@example.org"}},
	{"apostrophe", "", "o'brien@example.ie 'jo@example.org'", []string{"email:o'brien@example.ie", "email:jo@example.org"}},
	{"dense picture", "", "icon@2x.png icon@2x.mov", nil},
	{"letter before", "", "jürgen@example.org", nil},
	{"no such domain", "", "a@b a@host.localdomain", nil},
	{"message number", "", "Message-ID: <CAF123@mail.example.com>\nFrom: jo@example.org", []string{"email:jo@example.org"}},

	{"URL", "", "see (http://www.Example.com:80/a/../b?x=1#k).", []string{"url:https://www.example.com/b?x=1#k"}},
	{"URL in brackets of its own", "", "https://en.wikipedia.org/wiki/A_(b)", []string{"url:https://en.wikipedia.org/wiki/A_(b)"}},
	{"without scheme", "", "www.example.com/a, mega.nz/folder/x#key", []string{"url:https://www.example.com/a", "url:https://mega.nz/folder/x#key"}},
	{"behind it Chinese", "", "看https://example.com/abc很好", []string{"url:https://example.com/abc"}},
	{"vocabulary", "", `<a xmlns:x="http://ns.adobe.com/xap/1.0/" href="http://example.com">`, []string{"url:https://example.com/"}},
	{"user and password", "", "ftp://jo:secret@files.example.com/x", []string{"url:ftp://files.example.com/x"}},

	{"mention", "", "hi @Some_One99, and (@other.one).", []string{"user:some_one99", "user:other.one"}},
	{"no mention", "", "a@b @media @Override jo@example.org @babel/core @2x", []string{"email:jo@example.org"}},
	{"profile", "", "https://www.instagram.com/Some.One/?hl=en t.me/chan_nel", []string{"url:https://www.instagram.com/Some.One/?hl=en", "user:some.one", "url:https://t.me/chan_nel", "user:chan_nel"}},
	{"no profile", "", "https://www.instagram.com/p/Cxyz12/", []string{"url:https://www.instagram.com/p/Cxyz12/"}},
	{"field", "", `{"username": "Hot-Boy77", "user":"null", "Kik": "x"} snap: foo.bar`, []string{"user:hot-boy77", "user:foo.bar"}},

	{"onion 3", "", "http://duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion/x", []string{"url:https://duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion/x", "onion:duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"}},
	{"onion 3 with a wrong letter", "", "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczae.onion", nil},
	{"onion 2", "", "3g2upl4pq6kufc4m.onion", []string{"onion:3g2upl4pq6kufc4m.onion"}},

	// The addresses of the standards' own examples: the genesis block, BIP 173, BIP 350, EIP-55.
	{"Bitcoin", "", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa 3P14159f73E4gFr7JterCCQh9QjiTjiZrG", []string{"wallet:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "wallet:3P14159f73E4gFr7JterCCQh9QjiTjiZrG"}},
	{"Bitcoin with a wrong letter", "", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", nil},
	{"Bitcoin, bech32", "", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", []string{"wallet:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}},
	{"Bitcoin, bech32m", "", "bitcoin:bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0?amount=1", []string{"wallet:bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"}},
	{"Ethereum", "", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", []string{"wallet:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"}},
	{"Ethereum with a wrong case", "", "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", nil},
	{"Monero", "", "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H", []string{"wallet:888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H"}},
	{"digest", "", "d41d8cd98f00b204e9800998ecf8427e e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", nil},

	{"document", "DE", "Reisepass Nr. C01X00T47, IMEI 490154203237518", []string{"document:C01X00T47"}},
}

func values(list []Found) []string {
	var out []string
	for _, f := range list {
		out = append(out, string(f.Kind)+":"+f.Value)
	}
	return out
}

func same(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func TestFindString(t *testing.T) {
	t.Parallel()
	for _, tt := range texts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := FindString(tt.text, Options{Country: tt.country, Documents: true})
			if !same(values(got), tt.want) {
				t.Errorf("in %q\nfound %q\nwant  %q", tt.text, values(got), tt.want)
			}
			for _, f := range got {
				if !strings.Contains(tt.text[f.Offset:], f.Raw[:1]) || f.Raw == "" {
					t.Errorf("%v is not at %d", f, f.Offset)
				}
				again, err := Normalize(f.Kind, f.Raw, tt.country)
				if strings.HasPrefix(f.Raw, "4917") || strings.HasPrefix(f.Raw, "%") || f.Raw == "jo%40example.org" {
					continue // what makes it one stands beside it
				}
				if err != nil || again.Value != f.Value || again.Verified != f.Verified {
					t.Errorf("%q is %q where it is found and %q, %v where it is in a list", f.Raw, f.Value, again.Value, err)
				}
			}
		})
	}
}

// findAll runs Find with pieces of chunk bytes.
func findAll(t testing.TB, text []byte, o Options, m Markup, chunk int64) ([]Found, Stats) {
	t.Helper()
	var out []Found
	s := stream{r: bytes.NewReader(text), w: newWindow(o), markup: m, chunk: chunk}
	if err := s.run(context.Background(), func(f Found) error { out = append(out, f); return nil }); err != nil {
		t.Fatal(err)
	}
	return out, s.stats
}

// TestPiecesAreTheWhole finds the same in a text however it is cut.
func TestPiecesAreTheWhole(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	o := Options{Country: "DE", Documents: true}
	for round := range 12 {
		text := planted(rng, 30_000, nil)
		if round%3 == 0 { // no ends of lines, and hardly a break
			text = strings.ReplaceAll(text, "\n", " ")
		}
		want := FindString(text, o)
		if len(want) < 100 {
			t.Fatalf("only %d selectors in the text", len(want))
		}
		for _, chunk := range []int64{977, 4096, 7919} {
			got, stats := findAll(t, []byte(text), o, Plain, chunk)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, pieces of %d: %d selectors, want %d; first difference %v", round, chunk, len(got), len(want), difference(got, want))
			}
			if !stats.Whole || stats.Bytes != int64(len(text)) {
				t.Errorf("%+v of a text of %d bytes", stats, len(text))
			}
		}
	}
}

func difference(a, b []Found) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%+v, %+v", a[i], b[i])
		}
	}
	return "at the end"
}

// planted makes a text of selectors and of what looks like some. want gets the selectors.
func planted(rng *rand.Rand, size int, want *[]string) string {
	noise := []string{"the", "order", "2019-05-04", "10:11:12", "1546300800", "https", "@", "a@", "DE89 3704 0044", "0.1234567", "x=1;", "192.168.0.1", "IMG_20190504_101112", "+", "www", "é", "深圳", "12", "….", "#"}
	var b strings.Builder
	for b.Len() < size {
		for range rng.IntN(12) {
			b.WriteString(noise[rng.IntN(len(noise))])
			b.WriteByte(" \n,;"[rng.IntN(4)])
		}
		b.WriteString("so ")
		var s, v string
		switch rng.IntN(7) {
		case 0:
			n := 1000000 + rng.IntN(9000000)
			s, v = fmt.Sprintf("+49 171 %d", n), fmt.Sprintf("phone:+49171%d", n)
		case 1:
			n := 1000000 + rng.IntN(9000000)
			s, v = fmt.Sprintf("0171-%d", n), fmt.Sprintf("phone:+49171%d", n)
		case 2:
			n := rng.IntN(1e9)
			s, v = fmt.Sprintf("u%d@Example.com", n), fmt.Sprintf("email:u%d@example.com", n)
		case 3:
			n := rng.IntN(1e9)
			s, v = fmt.Sprintf("http://h%d.example.com/%s", n, strings.Repeat("p", rng.IntN(1500))), ""
			v = "url:https" + s[4:]
		case 4:
			n := rng.IntN(1e9)
			s, v = fmt.Sprintf("@name_%d", n), fmt.Sprintf("user:name_%d", n)
		case 5:
			n := make([]byte, 20)
			for i := range n {
				n[i] = byte(rng.IntN(256))
			}
			s = fmt.Sprintf("0x%x", n)
			v = "wallet:" + s
		case 6:
			s, v = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "wallet:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
		}
		if want != nil {
			*want = append(*want, v)
		}
		b.WriteString(s)
		b.WriteString([]string{" and ", "\n", "; ", ", "}[rng.IntN(4)])
	}
	return b.String()
}

// TestPlanted is the plain oracle: what was put into a text, and nothing else, is found.
func TestPlanted(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 8 {
		var want []string
		text := planted(rng, 100_000, &want)
		got, _ := findAll(t, []byte(text), Options{Country: "DE"}, Plain, chunkSize)
		if !same(values(got), want) {
			a, b := slices.Sorted(slices.Values(values(got))), slices.Sorted(slices.Values(want))
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Fatalf("found %q, want %q (%d, %d)", a[i], b[i], len(a), len(b))
				}
			}
			t.Fatalf("found %d, want %d", len(a), len(b))
		}
	}
}

func utf16Bytes(s string, big, mark bool) []byte {
	var b []byte
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	const text = "Für Jo: jo@example.org, https://müller.de/ä und +49 171 1234567 \U0001F600 Ende jo2@example.org"
	want := []string{"email:jo@example.org", "url:https://xn--mller-kva.de/%C3%A4", "phone:+491711234567", "email:jo2@example.org"}
	for name, b := range map[string][]byte{
		"UTF-8": []byte(text), "UTF-8 with a mark": []byte("\ufeff" + text),
		"UTF-16LE": utf16Bytes(text, false, true), "UTF-16BE": utf16Bytes(text, true, true),
		"UTF-16LE without a mark": utf16Bytes(text, false, false), "UTF-16BE without a mark": utf16Bytes(text, true, false),
	} {
		for _, chunk := range []int64{7, chunkSize} {
			if chunk == 7 && strings.Contains(name, "without") {
				continue // its encoding is not told by seven bytes
			}
			got, _ := findAll(t, b, Options{}, Plain, chunk)
			if !same(values(got), want) {
				t.Errorf("%s in pieces of %d: %q", name, chunk, values(got))
				continue
			}
			last := got[len(got)-1]
			if i := int64(bytes.LastIndex(b, []byte("j"))); last.Offset != i && name[:5] == "UTF-8" || strings.HasPrefix(name, "UTF-16LE") && last.Offset != i {
				t.Errorf("%s: the last is at %d, want %d", name, last.Offset, i)
			}
		}
	}
	latin1 := []byte("Gr\xfc\xdfe, jo@example.org, caf\xe9@example.org +49 171 1234567")
	got, _ := findAll(t, latin1, Options{}, Plain, chunkSize)
	if !same(values(got), []string{"email:jo@example.org", "phone:+491711234567"}) {
		t.Errorf("Latin-1: %q", values(got))
	}
}

func TestMarkup(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		markup Markup
		text   string
		want   []string
	}{
		{JSON, `{"t":"a\njo@example.org","u":"https:\/\/example.com\/x?a=1","p":"\u002B49 171 1234567"}`, []string{"email:jo@example.org", "url:https://example.com/x?a=1", "phone:+491711234567"}},
		{XML, `<a href="https://example.com/x?a=1&amp;b=2">jo&#64;example.org &lt;jo2@example.org&gt; &#x2B;49 171 1234567</a>`, []string{"url:https://example.com/x?a=1&b=2", "email:jo@example.org", "email:jo2@example.org", "phone:+491711234567"}},
		{Plain, `msg {"u":"https:\/\/example.com\/x"} C:\new`, []string{"url:https://example.com/x"}},
	} {
		for _, chunk := range []int64{13, chunkSize} {
			for _, wide := range []bool{false, true} {
				b := []byte(tt.text)
				if wide {
					b = utf16Bytes(tt.text, false, true)
				}
				if got, _ := findAll(t, b, Options{}, tt.markup, chunk); !same(values(got), tt.want) {
					t.Errorf("pieces of %d, wide %t: %q, want %q", chunk, wide, values(got), tt.want)
				}
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("jo@example.org\n", 100_000)
	n := 0
	stats, err := Find(context.Background(), strings.NewReader(text), Options{}, Plain, Limits{Bytes: 1 << 20}, func(Found) error { n++; return nil })
	if err != nil || stats.Whole || stats.Bytes != 1<<20 || n < 69_000 || n > 70_000 {
		t.Errorf("%+v, %d found, %v", stats, n, err)
	}
	var digits strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&digits, "0171 %d\n", 1000000+i)
	}
	n = 0
	stats, err = Find(context.Background(), strings.NewReader(digits.String()), Options{Country: "DE"}, Plain, Limits{Tries: 10_000}, func(Found) error { n++; return nil })
	if err != nil || stats.Whole || stats.Bytes >= int64(digits.Len()) || n < 10_000 {
		t.Errorf("%+v, %d found, %v", stats, n, err)
	}
	whole, err := Find(context.Background(), strings.NewReader("jo@example.org"), Options{}, Plain, Limits{Bytes: 14}, func(Found) error { return nil })
	if err != nil || !whole.Whole {
		t.Errorf("%+v, %v of a text as long as the limit", whole, err)
	}
	if _, err := Find(context.Background(), io.MultiReader(strings.NewReader("x"), failing{}), Options{}, Plain, Limits{}, func(Found) error { return nil }); err == nil {
		t.Error("a reader's failure is no error")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("bad sector") }

func FuzzFind(f *testing.F) {
	for _, tt := range texts {
		f.Add([]byte(tt.text), tt.country, uint8(len(tt.text)%3))
	}
	f.Fuzz(func(t *testing.T, text []byte, country string, markup uint8) {
		o, m := Options{Country: country, Documents: true}, Markup(markup%3)
		whole, _ := findAll(t, text, o, m, chunkSize)
		for _, found := range whole {
			if found.Value == "" || found.Raw == "" || found.Offset < 0 || found.Offset > int64(len(text)) {
				t.Errorf("%+v in a text of %d bytes", found, len(text))
			}
		}
		if bytes.Contains(text, []byte{0}) || len(text) > 8<<10 {
			return // too few bytes tell another encoding
		}
		if pieces, _ := findAll(t, text, o, m, 64); !slices.Equal(pieces, whole) {
			t.Errorf("in pieces %v, in one %v", pieces, whole)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, text := range map[string]string{
		"mixed":   planted(rng, 4<<20, nil),
		"prose":   strings.Repeat("It was the best of times, it was the worst of times, and nobody wrote a number into it.\n", 50_000),
		"numbers": numbers(rng, 200_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Find(context.Background(), strings.NewReader(text), Options{Country: "DE"}, Plain, Limits{}, func(Found) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func numbers(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "0%d,%d\n", rng.IntN(9e9)+1e9, rng.IntN(1e9))
	}
	return b.String()
}
