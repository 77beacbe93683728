package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/*.txtar: every command as a person types it. A script
// that needs the worker, weights or photographs says so, and skips without them.
//
//	exits CODE COMMAND... [< FILE]   runs a command that must end with this exit code
//	picture KIND FILE                writes one of the pictures below
//	flip FILE OFFSET                 turns over one byte
//	replace FILE OLD NEW             replaces the first place of a text
//	portraits DIR                    brings the demo's photographs
//	alter DIR NAME                   turns over bytes of every file of a name below a folder
//	nothing DIR                      demands that a folder is empty
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata",
		RequireUniqueNames: true,
		Setup:              setUpScript,
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "worker":
				return testWorker() != "", nil
			case "weights":
				return testWorker() != "" && testModels() != "", nil
			case "portraits":
				return testWorker() != "" && testPortraits() != "", nil
			case "root":
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": cmdExits, "picture": cmdPicture, "flip": cmdFlip, "replace": cmdReplace, "portraits": cmdPortraits, "alter": cmdAlter, "nothing": cmdNothing},
	})
}

// passedOn are the variables a script can set for the program.
var passedOn = []string{"PATH", "HOME", "TMPDIR", "GOCOVERDIR", "SEMBLANCE_DATA", "SEMBLANCE_WORKER", "SEMBLANCE_WORKERS", "SEMBLANCE_MODELS", "SEMBLANCE_MODELS_DIR", "SEMBLANCE_ENGINES",
	"SEMBLANCE_LIMIT_BYTES", "SEMBLANCE_LIMIT_PIXELS", "SEMBLANCE_LIMIT_DEADLINE", "SEMBLANCE_NONSENSE", "XDG_DATA_HOME"}

func setUpScript(e *testscript.Env) error {
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("SEMBLANCE_DATA", filepath.Join(e.WorkDir, "data"))
	e.Setenv("SEMBLANCE_WORKERS", "1")
	if w := testWorker(); w != "" {
		e.Setenv("SEMBLANCE_WORKER", w)
	}
	if m := testModels(); m != "" {
		e.Setenv("SEMBLANCE_MODELS_DIR", m)
	}
	return nil
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND... [< FILE]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	var in *os.File
	if i := slices.Index(args, "<"); i >= 0 && i == len(args)-2 {
		in, err = os.Open(ts.MkAbs(args[i+1]))
		ts.Check(err)
		defer in.Close()
		args = args[:i]
	}
	program := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, args[0]); program == "" {
			if _, err := os.Stat(p); err == nil {
				program = p
			}
		}
	}
	c := exec.Command(program, args[1:]...)
	c.Dir, c.Stdout, c.Stderr = ts.MkAbs("."), ts.Stdout(), ts.Stderr()
	if in != nil {
		c.Stdin = in
	}
	for _, name := range passedOn {
		if v := ts.Getenv(name); v != "" {
			c.Env = append(c.Env, name+"="+v)
		}
	}
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%s: %v", args[0], err)
	}
	if got := c.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args, " "), got, want)
	}
}

func cmdFlip(ts *testscript.TestScript, _ bool, args []string) {
	b := []byte(ts.ReadFile(args[0]))
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[at] ^= 0xff
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

func cmdReplace(ts *testscript.TestScript, _ bool, args []string) {
	old := ts.ReadFile(args[0])
	text := strings.Replace(old, args[1], args[2], 1)
	if text == old {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func cmdAlter(ts *testscript.TestScript, _ bool, args []string) {
	files, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*", args[1]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file is called %s", args[1])
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		ts.Check(err)
		for i := 64; i < len(b)-256; i++ {
			b[i] ^= 0xff
		}
		ts.Check(os.WriteFile(f, b, 0o600))
	}
}

func cmdNothing(ts *testscript.TestScript, _ bool, args []string) {
	left, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(left) > 0 {
		ts.Fatalf("%s holds %v", args[0], left)
	}
}

func cmdPortraits(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	for _, name := range []string{"obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"} {
		b, err := os.ReadFile(filepath.Join(testPortraits(), name))
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
}

func cmdPicture(ts *testscript.TestScript, _ bool, args []string) {
	b, err := testPicture(args[0])
	ts.Check(err)
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, b, 0o644))
}

// testPicture makes a picture, good or bad.
func testPicture(kind string) ([]byte, error) {
	var b bytes.Buffer
	kind, seed, _ := strings.Cut(kind, "-")
	n, _ := strconv.Atoi(seed)
	switch kind {
	case "png": // enough in it to be hashed, and no face
		return encoded(&b, png.Encode(&b, scene(n)))
	case "jpeg":
		return encoded(&b, jpeg.Encode(&b, scene(n), &jpeg.Options{Quality: 90}))
	case "recompressed":
		return encoded(&b, jpeg.Encode(&b, resize(scene(n), 400), &jpeg.Options{Quality: 60}))
	case "cut": // a JPEG whose last half is lost
		if err := jpeg.Encode(&b, scene(n), nil); err != nil {
			return nil, err
		}
		return b.Bytes()[:b.Len()/2], nil
	case "huge": // a JPEG's header of 65,535 by 65,535 pixels, and nothing else
		return slices.Concat([]byte{0xff, 0xd8}, []byte{0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1},
			[]byte{0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0}), nil
	case "bomb":
		return pngBomb(30_000)
	case "endless":
		return endlessGIF(200_000), nil
	case "heic": // the beginning of one
		return append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic\x00\x00\x01\x00meta\x00\x00\x00\x00"), make([]byte, 40)...), nil
	case "two": // persons, side by side
		return twoPersons()
	}
	return nil, fmt.Errorf("no picture is called %q", kind)
}

// twoPersons puts two of the demo's portraits beside each other.
func twoPersons() ([]byte, error) {
	var d device
	var both []*image.NRGBA
	for _, name := range []string{"obama.jpg", "biden.jpg"} {
		b, err := os.ReadFile(filepath.Join(testPortraits(), name))
		if err != nil {
			return nil, err
		}
		both = append(both, resize(d.decode(b), 600))
	}
	b := d.jpeg(beside(both...), 90)
	return b, d.err
}

// scene is a picture of rectangles, without a face; each n gives another.
func scene(n int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 640, 400))
	r := rand.New(rand.NewPCG(uint64(n), 0))
	for range 60 {
		at := image.Pt(r.IntN(640)-80, r.IntN(400)-60)
		c := color.NRGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255}
		draw.Draw(m, image.Rectangle{at, at.Add(image.Pt(40+r.IntN(160), 40+r.IntN(120)))}, image.NewUniform(c), image.Point{}, draw.Src)
	}
	return m
}

func encoded(b *bytes.Buffer, err error) ([]byte, error) { return b.Bytes(), err }

// pngBomb is a small file of a gray picture of side by side pixels, all black. Side is a
// multiple of 100: a hundredth of the picture is compressed after another one, and then
// said again, since compressing 900 MB takes long.
func pngBomb(side uint32) ([]byte, error) {
	var data bytes.Buffer
	z := zlib.NewWriter(&data)
	rows := make([]byte, side/100*(side+1))
	first := 0
	for range 2 {
		first = data.Len()
		if _, err := z.Write(rows); err != nil {
			return nil, err
		}
		if err := z.Flush(); err != nil {
			return nil, err
		}
	}
	again := slices.Clone(data.Bytes()[first:])
	for range 98 {
		data.Write(again)
	}
	data.Write([]byte{1, 0, 0, 0xff, 0xff})                                                         // the last block, empty
	data.Write(binary.BigEndian.AppendUint32(nil, uint32(uint64(side)*uint64(side+1)%65521)<<16|1)) // Adler-32 of so many zeros
	out := []byte("\x89PNG\r\n\x1a\n")
	header := binary.BigEndian.AppendUint32(nil, side)
	header = binary.BigEndian.AppendUint32(header, side)
	for _, c := range []struct {
		name string
		data []byte
	}{{"IHDR", append(header, 8, 0, 0, 0, 0)}, {"IDAT", data.Bytes()}, {"IEND", nil}} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(c.data)))
		chunk := append([]byte(c.name), c.data...)
		out = append(out, chunk...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	}
	return out, nil
}

// endlessGIF has so many frames of one pixel, and no end.
func endlessGIF(frames int) []byte {
	out := []byte("GIF89a\x10\x00\x10\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	frame := []byte{0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0}
	for range frames {
		out = append(out, frame...)
	}
	return out
}

// TestPicturesOfTests: what is called bad here is bad, what is good is good.
func TestPicturesOfTests(t *testing.T) {
	t.Parallel()
	for kind, good := range map[string]bool{"png-1": true, "jpeg-2": true, "recompressed-1": true, "cut-1": false, "heic": false} {
		b, err := testPicture(kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := image.Decode(bytes.NewReader(b)); (err == nil) != good {
			t.Errorf("%s: %v", kind, err)
		}
	}
	b, err := testPicture("bomb")
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width != 30_000 || c.ColorModel != color.GrayModel || len(b) > 2<<20 {
		t.Errorf("the bomb: %d bytes, %+v, %v", len(b), c, err)
	}
}
