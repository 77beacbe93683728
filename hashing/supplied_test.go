package hashing_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"semblance/hashing"
)

// someValue is a value of n bytes that is the same every time.
func someValue(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 4))
	v := make([]byte, n)
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}

func TestPhotoDNAText(t *testing.T) {
	t.Parallel()
	v := someValue(144)
	b64, digits := base64.StdEncoding.EncodeToString(v), hex.EncodeToString(v)
	if len(b64) != 192 || len(digits) != 288 || hashing.AlgorithmPhotoDNA.Text(v) != b64 {
		t.Fatal("PhotoDNA has 192 characters of base64 or 288 digits, and is written as base64")
	}
	for _, c := range []struct {
		line string
		def  hashing.Algorithm
		note string
	}{
		{"photodna:" + b64, "", ""},
		{"PhotoDNA:" + strings.ToUpper(digits) + ", series 7", "", "series 7"},
		{"pdna:" + digits, "sha256", ""},
		{b64, hashing.AlgorithmPhotoDNA, ""},
		{digits + ";size=3", hashing.AlgorithmPhotoDNA, "size=3"},
		{"PhotoDNA (a=b.jpg) = " + digits, "", "a=b.jpg"},
	} {
		alg, got, note, err := hashing.ParseHashLine(c.line, c.def)
		if err != nil || alg != hashing.AlgorithmPhotoDNA || string(got) != string(v) || note != c.note {
			t.Errorf("%.40q: %q %x %q, %v", c.line, alg, got, note, err)
		}
	}
	// Digests in a list of PhotoDNA stay digests.
	if alg, _, _, err := hashing.ParseHashLine(md5Hex, hashing.AlgorithmPhotoDNA); err != nil || alg != hashing.AlgorithmMD5 {
		t.Error(alg, err)
	}
	for _, line := range []string{
		b64, digits, // of unstated kind
		"photodna:", "photodna:" + b64[:191], "photodna:" + b64 + "A", "photodna:" + b64[:190] + "==",
		"photodna:" + digits[:287] + "g", "photodna:" + strings.Replace(b64, b64[:1], "-", 1), "photodna:" + strings.Repeat("=", 192),
	} {
		var se *hashing.SyntaxError
		if alg, value, _, err := hashing.ParseHashLine(line, ""); !errors.As(err, &se) || value != nil {
			t.Errorf("%.40q is taken for %s, %v", line, alg, err)
		} else if strings.Contains(err.Error(), b64[:60]) || strings.Contains(err.Error(), digits[:60]) {
			t.Errorf("the message repeats the value: %v", err)
		}
	}
	a := hashing.AlgorithmPhotoDNA
	if a.IsDigest() || a.IsPerceptual() || !a.IsSupplied() || a.Bits() != 1152 || a.Metric() != hashing.SquaredEuclid {
		t.Error("PhotoDNA is a supplied value of 144 bytes under squared Euclidean distance")
	}
	if !hashing.IsTrivial(a, make([]byte, 144)) || hashing.IsTrivial(a, v) {
		t.Error("all zeros are what flat pictures have")
	}
}

func TestOwnAlgorithms(t *testing.T) {
	t.Parallel()
	a, err := hashing.OwnAlgorithm("acme-look", "2.1", hashing.Hamming, 16)
	if err != nil || a != "acme-look/2.1/hamming-16" || a.Bits() != 128 || a.Metric() != hashing.Hamming || !a.IsSupplied() || a.IsPerceptual() || a.IsDigest() {
		t.Fatal(a, err)
	}
	v := someValue(16)
	if got, err := hashing.Parse(a, base64.StdEncoding.EncodeToString(v)); err != nil || string(got) != string(v) {
		t.Error(got, err)
	}
	alg, got, _, err := hashing.ParseHashLine(string(a)+":"+a.Text(v), "")
	if err != nil || alg != a || string(got) != string(v) {
		t.Error(alg, got, err)
	}
	if _, _, _, err := hashing.ParseHashLine(a.Text(v), a); err == nil || !strings.Contains(err.Error(), "32 hex digits are a digest or a value of") {
		t.Errorf("32 digits in a list of values of 16 bytes: %v, want a question", err)
	}
	for _, bad := range []hashing.Algorithm{"acme/1/hamming-7", "acme/1/hamming-1025", "acme/1/hamming-016", "acme/1/cosine-16", "Acme/1/hamming-16", "acme//hamming-16", "acme/1/x/hamming-16", "/1/hamming-16", "acme/1/hamming-16\n"} {
		if bad.IsSupplied() || bad.Bits() != 0 || bad.Metric() != "" {
			t.Errorf("%q is an algorithm", bad)
		}
	}
	for _, c := range []struct{ name, version string }{{"", "1"}, {"a/b", "1"}, {"a", ""}, {"a b", "1"}, {"a:b", "1"}} {
		if _, err := hashing.OwnAlgorithm(c.name, c.version, hashing.Hamming, 16); err == nil {
			t.Errorf("%q %q names an algorithm", c.name, c.version)
		}
	}
}

func TestMetricDistance(t *testing.T) {
	t.Parallel()
	a, b := make([]byte, 144), make([]byte, 144)
	for i := range b {
		b[i] = 255
	}
	for _, c := range []struct {
		m    hashing.Metric
		want int
	}{{hashing.SquaredEuclid, 144 * 255 * 255}, {hashing.Hamming, 1152}} {
		if d := c.m.Distance(a, b); d != c.want || d != c.m.Farthest(144) || c.m.Distance(b, a) != d || c.m.Distance(b, b) != 0 {
			t.Errorf("%s: %d, want %d", c.m, d, c.want)
		}
	}
	b = make([]byte, 144)
	b[3], b[140] = 3, 4
	if d := hashing.SquaredEuclid.Distance(a, b); d != 25 {
		t.Errorf("%d, want 25: squared, not its root", d)
	}
	for _, m := range []hashing.Metric{hashing.SquaredEuclid, hashing.Hamming, hashing.Equality, "x"} {
		if m.Distance(a, b[:143]) <= m.Farthest(144) {
			t.Errorf("%s: values of different lengths are near", m)
		}
	}
	if hashing.Equality.Distance(a, a) != 0 || hashing.Equality.Distance(a, b) == 0 {
		t.Error("equality")
	}
}

func FuzzParseSupplied(f *testing.F) {
	v := someValue(144)
	f.Add(base64.StdEncoding.EncodeToString(v))
	f.Add(hex.EncodeToString(v))
	f.Add(strings.Repeat("A", 191) + "=")
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range []hashing.Algorithm{hashing.AlgorithmPhotoDNA, "acme/1/hamming-8", "acme/1/squared-euclid-10"} {
			v, err := hashing.Parse(a, s)
			if err != nil {
				continue
			}
			if again, err := hashing.Parse(a, a.Text(v)); err != nil || string(again) != string(v) || len(v)*8 != a.Bits() {
				t.Fatalf("%s: %q became %x, then %x, %v", a, s, v, again, err)
			}
		}
	})
}
