package hashing_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"semblance/hashing"
)

// samples lists upstream's files of a kind under SEMBLANCE_TESTDATA.
func samples(t testing.TB, pattern string) []string {
	t.Helper()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	if dir == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set: upstream's video samples are not there")
	}
	files, err := filepath.Glob(filepath.Join(dir, "video", pattern))
	if err != nil || len(files) == 0 {
		t.Skipf("no %s in %s", pattern, dir)
	}
	return files
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVPDQReadsUpstreamSamples(t *testing.T) {
	t.Parallel()
	for _, path := range samples(t, "vpdq-sample-hashes/*.txt") {
		text := readFile(t, path)
		v, err := hashing.ParseVPDQ(text)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		again, _ := v.AppendText(nil)
		if len(v) != bytes.Count(text, []byte("\n")) || !bytes.Equal(again, text) {
			t.Errorf("%s: %d frames, written differently", filepath.Base(path), len(v))
		}
		json, err := hashing.ParseVPDQJSON(v.AppendJSON(nil))
		for i := range json { // upstream's samples hash every frame, so the place is the number
			if json[i] != v[i] {
				t.Fatalf("%s: frame %d is %v in JSON, %v as text", filepath.Base(path), i, json[i], v[i])
			}
		}
		if err != nil || len(json) != len(v) {
			t.Errorf("%s: JSON of %d frames, %v", filepath.Base(path), len(json), err)
		}
		binary, _ := v.MarshalBinary()
		if back, err := hashing.ParseVPDQBinary(binary); err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%s: the binary form reads back differently: %v", filepath.Base(path), err)
		}
	}
}

func TestParseVPDQRefuses(t *testing.T) {
	t.Parallel()
	good := "7,100," + pdqHex + ",0.467\n"
	for _, tt := range []struct{ name, text, want string }{
		{"fewer fields", good + "8,100," + pdqHex, "line 2: 3 fields"},
		{"a short hash", "7,100,abc,0.1", "line 1"},
		{"no hex", "\n\n7,100," + strings.Repeat("z", 64) + ",0.1", "line 3"},
		{"a quality over 100", "7,101," + pdqHex + ",0", "quality"},
		{"a negative quality", "7,-1," + pdqHex + ",0", "quality"},
		{"a negative frame", "-7,1," + pdqHex + ",0", "number of the frame"},
		{"no time", "7,1," + pdqHex + ",", "time"},
		{"a time that is not a number", "7,1," + pdqHex + ",NaN", "time"},
		{"a time without end", "7,1," + pdqHex + ",Inf", "time"},
		{"a negative time", "7,1," + pdqHex + ",-1", "time"},
		{"the same frame again", good + good, "frame 7 comes after frame 7"},
		{"time that runs back", good + "8,100," + pdqHex + ",0.1", "frame 8 is shown before"},
		{"a long line", "7,1," + strings.Repeat("a", 500) + ",0", "line of"},
	} {
		_, err := hashing.ParseVPDQ([]byte(tt.text))
		var se *hashing.SyntaxError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), pdqHex) {
			t.Errorf("%s: the error repeats a hash", tt.name)
		}
	}
	v, err := hashing.ParseVPDQ([]byte("\ufeff" + strings.ToUpper(strings.TrimSpace(good)) + "\r\n\r\n"))
	if err != nil || len(v) != 1 || v[0].Time != 467*time.Millisecond || v[0].Frame != 7 || v[0].Hash.String() != pdqHex {
		t.Errorf("%v, %v", v, err)
	}
	for _, text := range []string{`{}`, `["a,b"]`, `[1]`, `["` + pdqHex + `,50,2.0","` + pdqHex + `,50,1.0"]`} {
		if _, err := hashing.ParseVPDQJSON([]byte(text)); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func FuzzParseVPDQ(f *testing.F) {
	f.Add([]byte("0,100," + pdqHex + ",0.000\n1,49," + pdqHex + ",1.5\n"))
	f.Add([]byte("0,,,\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := hashing.ParseVPDQ(text)
		if err != nil {
			return
		}
		b, _ := v.MarshalBinary()
		if again, err := hashing.ParseVPDQBinary(b); err != nil || len(again) != len(v) {
			t.Fatalf("%d frames became %d: %v", len(v), len(again), err)
		}
	})
}

func FuzzParseVPDQJSON(f *testing.F) {
	f.Add([]byte(`["` + pdqHex + `,50,1.0"]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := hashing.ParseVPDQJSON(text)
		if err != nil {
			return
		}
		if again, err := hashing.ParseVPDQJSON(v.AppendJSON(nil)); err != nil || len(again) != len(v) {
			t.Fatalf("%d frames became %d: %v", len(v), len(again), err)
		}
	})
}

func FuzzParseVPDQBinary(f *testing.F) {
	b, _ := hashing.VPDQ{{Frame: 1, Time: time.Second, Quality: 50}, {Frame: 3, Time: 2 * time.Second}}.MarshalBinary()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := hashing.ParseVPDQBinary(b)
		if err != nil {
			return
		}
		if again, _ := v.MarshalBinary(); !bytes.Equal(again, b) {
			t.Fatal("it is written differently")
		}
		hashing.CompareVPDQ(v, v, hashing.DefaultVPDQOptions())
	})
}
