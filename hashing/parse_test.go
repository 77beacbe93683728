package hashing_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"semblance/hashing"
)

const (
	md5Hex    = "9e107d9d372bb6826bd81d3542a419d6"
	sha1Hex   = "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
	sha256Hex = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
	pdqHex    = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
	hash64Hex = "c3f0a1b2d4e5968f"
)

func TestParseHashLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		def  hashing.Algorithm
		alg  hashing.Algorithm
		hex  string
		note string
	}{
		{md5Hex, "", "md5", md5Hex, ""},
		{sha1Hex, "pdq", "sha1", sha1Hex, ""},
		{sha256Hex, "sha256", "sha256", sha256Hex, ""},
		{pdqHex, "pdq", "pdq", pdqHex, ""},
		{hash64Hex, hashing.AlgorithmDHash, hashing.AlgorithmDHash, hash64Hex, ""},
		{"pdq:" + pdqHex, "sha256", "pdq", pdqHex, ""},
		{"PDQ:" + pdqHex + ", seen in March, twice", "", "pdq", pdqHex, "seen in March, twice"},
		{"phash:" + hash64Hex, "", hashing.AlgorithmPHash, hash64Hex, ""},
		{"a:" + hash64Hex, "", hashing.AlgorithmAHash, hash64Hex, ""},
		{"dhash/goimagehash-1:" + hash64Hex, "", hashing.AlgorithmDHash, hash64Hex, ""},
		{"sha-256:" + sha256Hex + ";x", "pdq", "sha256", sha256Hex, "x"},
		{"\ufeff  " + strings.ToUpper(md5Hex) + " \t\r\n", "", "md5", md5Hex, ""},
		{md5Hex + ",", "", "md5", md5Hex, ""},
		{md5Hex + " , a note", "", "md5", md5Hex, "a note"},
		{md5Hex + "  dir/a b.jpg", "", "md5", md5Hex, "dir/a b.jpg"},
		{md5Hex + " *dir/a.jpg", "", "md5", md5Hex, "dir/a.jpg"},
		{md5Hex + "  a (1) = b.jpg", "", "md5", md5Hex, "a (1) = b.jpg"},
		{md5Hex + "  f(x)=" + sha1Hex, "", "md5", md5Hex, "f(x)=" + sha1Hex},
		{md5Hex + "  a:b", "", "md5", md5Hex, "a:b"},
		{`\` + md5Hex + `  a\nb\\c`, "", "md5", md5Hex, "a\nb\\c"},
		{"MD5 (a (1).jpg) = " + md5Hex, "", "md5", md5Hex, "a (1).jpg"},
		{"SHA2-256(a.jpg)= " + sha256Hex, "pdq", "sha256", sha256Hex, "a.jpg"},
		{"SHA1 () = " + sha1Hex, "", "sha1", sha1Hex, ""},
	} {
		alg, value, note, err := hashing.ParseHashLine(c.line, c.def)
		if err != nil || alg != c.alg || hex.EncodeToString(value) != c.hex || note != c.note {
			t.Errorf("%q: %q %x %q, %v", c.line, alg, value, note, err)
		}
	}
}

func TestParseHashLineRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		def  hashing.Algorithm
		want string
	}{
		{md5Hex[:31], "", "31 hex digits; an MD5 has 32, a SHA-1 40, a SHA-256 or PDQ 64"},
		{"f", "pdq", "1 hex digit; an MD5 has 32, a SHA-1 40, a SHA-256 or PDQ 64"},
		{",note", "", "0 hex digits; an MD5 has 32, a SHA-1 40, a SHA-256 or PDQ 64"},
		{"pdq:" + pdqHex[:63], "", "63 hex digits; a PDQ hash has 64"},
		{"md5:" + sha1Hex, "", "40 hex digits; an MD5 has 32"},
		{"MD5 (a.jpg) = " + md5Hex[:30], "", "30 hex digits; an MD5 has 32"},
		{md5Hex[:30] + "gh", "", "'g' at position 31 is not a hex digit"},
		{"é", "", "'é' at position 1 is not a hex digit"},
		{pdqHex, "", "64 hex digits are a SHA-256 or a PDQ hash"},
		{pdqHex, "md5", "64 hex digits are a SHA-256 or a PDQ hash"},
		{hash64Hex, "", "16 hex digits are a pHash, a dHash or an aHash"},
		{"crc32:abcd", "", `no algorithm is called "crc32"`},
	} {
		_, value, _, err := hashing.ParseHashLine(c.line, c.def)
		var se *hashing.SyntaxError
		if !errors.As(err, &se) || !strings.HasPrefix(err.Error(), c.want) || value != nil {
			t.Errorf("%q: error %v, want %q", c.line, err, c.want)
		}
	}
	for _, line := range []string{"", " \t\r\n", "\ufeff", "# a comment", "  #"} {
		if _, _, _, err := hashing.ParseHashLine(line, ""); !errors.Is(err, hashing.ErrBlank) {
			t.Errorf("%q: %v, want ErrBlank", line, err)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for _, a := range hashing.Algorithms() {
		got, err := hashing.ParseAlgorithm(" " + strings.ToUpper(string(a)))
		if err != nil || got != a {
			t.Errorf("%s: %q, %v", a, got, err)
		}
		if a.IsDigest() == a.IsPerceptual() || a.Bits() == 0 {
			t.Errorf("%s: digest %v, perceptual %v, %d bits", a, a.IsDigest(), a.IsPerceptual(), a.Bits())
		}
	}
	if a := hashing.Algorithm("x"); a.IsDigest() || a.IsPerceptual() || a.Bits() != 0 {
		t.Error("an unknown algorithm has a kind")
	}
}

func TestHashTextRoundTrips(t *testing.T) {
	t.Parallel()
	p, err := hashing.ParsePDQ(strings.ToUpper(pdqHex))
	if err != nil || p.String() != pdqHex {
		t.Fatal(p, err)
	}
	h, err := hashing.ParseHash64(hash64Hex)
	if err != nil || h != 0xc3f0a1b2d4e5968f || h.String() != hash64Hex {
		t.Fatal(h, err)
	}
	type both struct {
		P hashing.PDQ
		H hashing.Hash64
	}
	text, err := json.Marshal(both{p, h})
	if err != nil || !strings.Contains(string(text), pdqHex) || !strings.Contains(string(text), hash64Hex) {
		t.Fatal(string(text), err)
	}
	var back both
	if err := json.Unmarshal(text, &back); err != nil || back != (both{p, h}) {
		t.Error(back, err)
	}
	if err := json.Unmarshal([]byte(`{"P":"00"}`), &back); err == nil || back.P != p {
		t.Errorf("a bad PDQ: %v, and the old one is now %v", err, back.P)
	}
	if err := json.Unmarshal([]byte(`{"H":"zz"}`), &back); err == nil || back.H != h {
		t.Errorf("a bad Hash64: %v, and the old one is now %v", err, back.H)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	var a, b hashing.PDQ
	b[0], b[7], b[8], b[31] = 0x80, 0x01, 0xf0, 0xff
	if d := a.Distance(b); d != 14 {
		t.Errorf("PDQ distance %d, want 14", d)
	}
	for i := range b {
		b[i] = 0xff
	}
	if d := a.Distance(b); d != 256 {
		t.Errorf("PDQ distance %d, want 256", d)
	}
	if d := hashing.Hash64(0).Distance(0x8000000000000101); d != 3 {
		t.Errorf("Hash64 distance %d, want 3", d)
	}
}

func FuzzParseHashLine(f *testing.F) {
	for _, s := range []string{md5Hex, "pdq:" + pdqHex + ",n", "MD5 (a) = " + md5Hex, `\` + md5Hex + `  a\n`, "\ufeff#", "a:", "(=)", "x()="} {
		f.Add(s, "pdq")
	}
	f.Fuzz(func(t *testing.T, line, def string) {
		alg, value, note, err := hashing.ParseHashLine(line, hashing.Algorithm(def))
		if err != nil {
			var se *hashing.SyntaxError
			if !errors.Is(err, hashing.ErrBlank) && !errors.As(err, &se) {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		if len(value)*8 != alg.Bits() {
			t.Fatalf("%s has %d bytes", alg, len(value))
		}
		again := string(alg) + ":" + hex.EncodeToString(value)
		if strings.TrimSpace(note) == note && note != "" && !strings.HasPrefix(note, ",") && !strings.HasPrefix(note, ";") {
			again += "," + note
		} else {
			note = ""
		}
		alg2, value2, note2, err := hashing.ParseHashLine(again, "")
		if err != nil || alg2 != alg || string(value2) != string(value) || note2 != note {
			t.Fatalf("%q: %s %x %q, then %s %x %q, %v", line, alg, value, note, alg2, value2, note2, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(pdqHex)
	f.Add(hash64Hex)
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range hashing.Algorithms() {
			if v, err := hashing.Parse(a, s); err == nil && hex.EncodeToString(v) != strings.ToLower(s) {
				t.Fatalf("%s: %q became %x", a, s, v)
			}
		}
		if p, err := hashing.ParsePDQ(s); err == nil && p.String() != strings.ToLower(s) {
			t.Fatal(s)
		}
		if h, err := hashing.ParseHash64(s); err == nil && h.String() != strings.ToLower(s) {
			t.Fatal(s)
		}
	})
}
