package hashing_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"semblance/hashing"
)

func TestDigestEqualsThreePasses(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 63, 64, 16<<10 - 1, 16 << 10, 256<<10 + 7, 700_001} {
		data := noisy(uint64(n), max(n%997, 1), n/max(n%997, 1)+1, 1).Pix
		data = append(data, data...)[:n]
		want := hashing.Digests{MD5: md5.Sum(data), SHA1: sha1.Sum(data), SHA256: sha256.Sum256(data), Size: int64(n)}
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(data), "halves": iotest.HalfReader(bytes.NewReader(data)),
			"data with EOF": iotest.DataErrReader(bytes.NewReader(data)),
		} {
			got, err := hashing.Digest(context.Background(), r)
			if err != nil || got != want {
				t.Errorf("%d bytes, %s: %+v, %v", n, name, got, err)
			}
		}
		if got := hashing.DigestBytes(data); got != want {
			t.Errorf("%d bytes: DigestBytes differs", n)
		}
		d := hashing.NewDigester()
		io.WriteString(d, "forgotten")
		d.Reset()
		for part := range bytes.Lines(data) {
			d.Write(part)
			d.Sum() // does not disturb what follows
		}
		if got := d.Sum(); got != want {
			t.Errorf("%d bytes: Digester differs", n)
		}
	}
}

func TestDigestStops(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	r := io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken))
	if d, err := hashing.Digest(context.Background(), r); !errors.Is(err, broken) || d != (hashing.Digests{}) {
		t.Errorf("%v, %v", d, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := hashing.Digest(ctx, strings.NewReader("some")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestDigestsJSON(t *testing.T) {
	t.Parallel()
	d := hashing.DigestBytes([]byte("The quick brown fox jumps over the lazy dog"))
	text, err := json.Marshal(d)
	want := `{"md5":"` + md5Hex + `","sha1":"` + sha1Hex + `","sha256":"` + sha256Hex + `","size":43}`
	if err != nil || string(text) != want {
		t.Fatalf("%s, %v", text, err)
	}
	var back hashing.Digests
	if err := json.Unmarshal(text, &back); err != nil || back != d {
		t.Error(back, err)
	}
	var se *hashing.SyntaxError
	if err := json.Unmarshal([]byte(`{"md5":"00"}`), &back); !errors.As(err, &se) || back != d {
		t.Errorf("short digest: %v; the old value changed: %v", err, back != d)
	}
}

func TestIsTrivial(t *testing.T) {
	t.Parallel()
	empty := hashing.DigestBytes(nil)
	for _, a := range hashing.Algorithms() {
		n := a.Bits() / 8
		for name, v := range map[string][]byte{
			"no bytes": nil, "zeros": make([]byte, n), "ones": bytes.Repeat([]byte{0xff}, n), "empty file": empty.Value(a),
		} {
			if !hashing.IsTrivial(a, v) {
				t.Errorf("%s: %s is not trivial", a, name)
			}
		}
		v := make([]byte, n)
		v[n-1] = 1
		if hashing.IsTrivial(a, v) {
			t.Errorf("%s: %x is trivial", a, v)
		}
	}
	if hashing.IsTrivial(hashing.AlgorithmPDQ, empty.SHA256[:]) {
		t.Error("the SHA-256 of the empty file is no trivial PDQ")
	}
	for a, want := range map[hashing.Algorithm]string{
		hashing.AlgorithmMD5: "d41d8cd98f00b204e9800998ecf8427e", hashing.AlgorithmSHA1: "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		hashing.AlgorithmSHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	} {
		if got := hex.EncodeToString(empty.Value(a)); got != want {
			t.Errorf("%s of nothing is %s", a, got)
		}
	}
}

// Every length around the ends of blocks, in pieces of every length.
func TestDigestOfEveryLength(t *testing.T) {
	t.Parallel()
	data := noisy(9, 401, 1, 1).Pix
	for n := range len(data) {
		want := hashing.Digests{MD5: md5.Sum(data[:n]), SHA1: sha1.Sum(data[:n]), SHA256: sha256.Sum256(data[:n]), Size: int64(n)}
		for _, piece := range []int{1, 3, 63, 64, 65, 128, 200, 401} {
			d := hashing.NewDigester()
			for at := 0; at < n; at += piece {
				d.Write(data[at:min(at+piece, n)])
			}
			if got := d.Sum(); got != want {
				t.Fatalf("%d bytes in pieces of %d: %+v, want %+v", n, piece, got, want)
			}
		}
	}
}

// FuzzDigester splits what it is given and compares with the standard library.
func FuzzDigester(f *testing.F) {
	f.Add([]byte("abc"), uint16(1), uint16(200))
	f.Add(bytes.Repeat([]byte{0xff}, 1000), uint16(64), uint16(65))
	f.Fuzz(func(t *testing.T, data []byte, a, b uint16) {
		d := hashing.NewDigester()
		i := min(int(a), len(data))
		j := min(i+int(b), len(data))
		d.Write(data[:i])
		d.Write(data[i:j])
		d.Write(data[j:])
		want := hashing.Digests{MD5: md5.Sum(data), SHA1: sha1.Sum(data), SHA256: sha256.Sum256(data), Size: int64(len(data))}
		if got := d.Sum(); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
