package containers

import (
	"bytes"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"semblance"
)

var geheim = Options{ContainerOptions: semblance.ContainerOptions{Passwords: []string{"wrong", "geheim", "last"}}}

func TestSeven(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]string{
		"LZMA2": "-m0=LZMA2", "LZMA": "-m0=LZMA", "bzip2": "-m0=BZip2", "deflate": "-m0=Deflate", "deflate64": "-m0=Deflate64", "copy": "-m0=Copy", "each alone": "-ms=off",
		"delta": "-m0=Delta:4 -m1=LZMA", "x86": "-m0=BCJ -m1=LZMA2", "ARM": "-m0=ARM -m1=LZMA2", "SPARC": "-m0=SPARC -m1=LZMA2", "PPC": "-m0=PPC -m1=LZMA2", "Thumb": "-m0=ARMT -m1=LZMA2",
		"plain directory": "-mhc=off", "small dictionary": "-m0=LZMA:d=4k", "literals by position": "-m0=LZMA:lc=0:lp=4:pb=4",
		"encrypted": "-pgeheim", "encrypted copy": "-pgeheim -m0=Copy", "encrypted directory": "-pgeheim -mhe=on", "four streams": "-m0=BCJ2 -m1=LZMA -m2=LZMA -m3=LZMA -mb0:1 -mb0s1:2 -mb0s2:3",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := packed(t, "a.7z", "sh", "-c", "7z a "+flags+" a.7z DCIM docs empty.txt video.mp4")
			all, facts, err := list(t, "a.7z", b, geheim)
			holds(t, all, err)
			if facts.Format != "7z" || (facts.Password == 2) != strings.Contains(flags, "-p") || len(facts.Notes) != 0 {
				t.Errorf("facts %+v", facts)
			}
			if name == "each alone" && string(all[0].Name) != "DCIM/100APPLE/IMG_0001.JPG" {
				t.Errorf("%s comes first", all[0].Name)
			}
			if !strings.HasPrefix(all[0].Times[0].Source, "7z") {
				t.Errorf("times %+v", all[0].Times)
			}
		})
	}
}

// TestSevenCode packs a program, which the filters for code change.
func TestSevenCode(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	for _, flags := range []string{"-m0=BCJ -m1=LZMA2", "-m0=BCJ2 -m1=LZMA -m2=LZMA -m3=LZMA -mb0:1 -mb0s1:2 -mb0s2:3", "-m0=ARM -m1=Copy", "-m0=ARMT -m1=Copy", "-m0=PPC -m1=Copy", "-m0=SPARC -m1=Copy", "-m0=LZMA:d=8k"} {
		b := packed(t, "a.7z", "sh", "-c", "cp /bin/sh prog; 7z a "+flags+" a.7z prog")
		all, _, err := list(t, "a.7z", b, Options{})
		if err != nil || len(all) != 1 || all[0].err != nil || all[0].content != string(program) {
			t.Errorf("%s: %v, %+v", flags, err, all[0].err)
		}
	}
}

func TestSevenRefused(t *testing.T) {
	t.Parallel()
	b := packed(t, "a.7z", "7z", "a", "-pother", "a.7z", "DCIM", "docs")
	all, _, err := list(t, "a.7z", b, geheim)
	for _, h := range all {
		if h.Kind == semblance.EntryFile && (h.Code != semblance.MediaEncrypted || h.Reason != "encrypted, and none of the 3 passwords opens it") {
			t.Errorf("%s: %s %s", h.Name, h.Code, h.Reason)
		}
	}
	if err != nil || len(all) < 2 {
		t.Errorf("%d, %v", len(all), err)
	}
	b = packed(t, "a.7z", "7z", "a", "-pother", "-mhe=on", "a.7z", "DCIM")
	if _, _, err = list(t, "a.7z", b, geheim); code(t, err) != semblance.MediaEncrypted {
		t.Error(err)
	}
	b = packed(t, "a.7z", "7z", "a", "-m0=PPMd", "a.7z", "docs")
	all, _, err = list(t, "a.7z", b, Options{})
	if h := byName(t, all)["docs/notes.txt"]; err != nil || h.Code != semblance.MediaUnsupported || !strings.Contains(h.Reason, "PPMd") {
		t.Errorf("%v, %+v", err, h.Entry)
	}
}

func TestSevenSplit(t *testing.T) {
	t.Parallel()
	parts := packedParts(t, "a.7z.*", "7z", "a", "-v30k", "-m0=Copy", "a.7z", "DCIM", "docs", "empty.txt", "video.mp4")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	all, _, err := listParts(t, parts, Options{})
	holds(t, all, err)
	if _, _, err = listParts(t, parts[:2], Options{}); code(t, err) != semblance.MediaDamaged || semblance.HintOf(err) == "" {
		t.Error(err)
	}
}

// TestSevenDamaged changes a byte in the middle of packed data: what comes before stands.
func TestSevenDamaged(t *testing.T) {
	t.Parallel()
	b := packed(t, "a.7z", "7z", "a", "-m0=LZMA", "-mqs=off", "a.7z", "DCIM", "docs", "video.mp4")
	b[len(b)/2] ^= 0x55
	all, _, err := list(t, "a.7z", b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, 0
	for _, h := range all {
		if h.Kind != semblance.EntryFile {
			continue
		}
		if h.err == nil {
			good++
			if h.content != tree[string(h.Name)] {
				t.Errorf("%s is wrong and nothing is said", h.Name)
			}
		} else if code(t, h.err) == semblance.MediaDamaged {
			bad++
		}
	}
	if good == 0 || bad == 0 {
		t.Errorf("%d good, %d damaged", good, bad)
	}
	whole := packed(t, "a.7z", "sh", "-c", "printf one >a.jpg; printf two >b.jpg; 7z a a.7z a.jpg b.jpg")
	everyBeginning(t, "a.7z", whole, Options{}, map[string]string{"a.jpg": "one", "b.jpg": "two"})
}

func TestXZ(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	for _, flags := range [][]string{
		{"xz"}, {"xz", "-9e", "--check=none"}, {"xz", "-0", "--check=crc32"}, {"xz", "--check=sha256"}, {"xz", "--block-size=20000", "-T2"}, {"xz", "--x86", "--lzma2"},
		{"xz", "--arm", "--lzma2"}, {"xz", "--armthumb", "--lzma2"}, {"xz", "--arm64", "--lzma2"}, {"xz", "--powerpc", "--lzma2"}, {"xz", "--sparc", "--lzma2"}, {"xz", "--delta=dist=3", "--lzma2=dict=4KiB"},
		{"xz", "--format=lzma"},
	} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			for _, plain := range []string{string(program), tree["docs/notes.txt"], noise(3, 100000), "a"} {
				b := filtered(t, plain, append(flags, "-c")...)
				all, _, err := list(t, "notes.txt.xz", b, Options{})
				if err != nil || len(all) != 1 || all[0].content != plain || all[0].err != nil {
					t.Fatalf("%d bytes: %+v, %v", len(plain), all[0].err, err)
				}
				if len(plain) > 20000 {
					continue
				}
				everyBeginning(t, "a.xz", b, Options{}, map[string]string{"a": plain})
			}
		})
	}
	b := filtered(t, "one", "xz", "-c")
	two := append(append(bytes.Clone(b), make([]byte, 8)...), b...)
	if all, _, err := list(t, "a.xz", two, Options{}); err != nil || all[0].content != "oneone" || all[0].err != nil {
		t.Errorf("two streams: %v", err)
	}
	archive := string(packed(t, "a.tar", "tar", "cf", "a.tar", "DCIM", "docs", "empty.txt", "video.mp4"))
	all, facts, err := list(t, "a.tar.xz", filtered(t, archive, "xz", "-c"), Options{})
	holds(t, all, err)
	if facts.Format != "tar.xz" {
		t.Error(facts.Format)
	}
}

// TestWindows asks for windows that are too large.
func TestWindows(t *testing.T) {
	t.Parallel()
	b := filtered(t, "one", "xz", "-c", "--format=lzma")
	copy(b[1:], "\x00\x00\x00\x80") // 2 GiB
	if _, _, err := list(t, "a.lzma", b, Options{}); code(t, err) != semblance.MediaTooLarge {
		t.Errorf("lzma: %v", err)
	}
	if _, err := newLZMA2(nil, 40); code(t, err) != semblance.MediaTooLarge {
		t.Errorf("lzma2: %v", err)
	}
}

// TestSevenEntries states more files than a directory is read with.
func TestSevenEntries(t *testing.T) {
	t.Parallel()
	header := append([]byte{1, 5, 0xe0, 0, 0, 0x40}, make([]byte, 1<<20)...) // 4 million files
	var b []byte
	b = le.AppendUint64(le.AppendUint64(b, 0), uint64(len(header)))
	b = le.AppendUint32(b, crc32.ChecksumIEEE(header))
	b = append(le.AppendUint32([]byte(sevenMagic+"\x00\x04"), crc32.ChecksumIEEE(b)), b...)
	if _, _, err := list(t, "a.7z", append(b, header...), Options{}); code(t, err) != semblance.MediaTooLarge {
		t.Error(err)
	}
}

// Seeds of the fuzz target that no Go program here can write: "7z a -mhc=off -m0=LZMA
// -mtm=off a.7z a.jpg b.jpg" of "one" and "two", and "content" as xz --check=crc32 packs it.
var (
	sevenSeed = []byte("\x37\x7a\xbc\xaf\x27\x1c\x00\x04\xae\xfe\xe4\xff\x0b\x00\x00\x00\x00\x00\x00\x00\x56\x00\x00\x00\x00\x00\x00\x00\x40\x34\x36\x75\x00\x37\x9b\x88\xd4\xaa\xe9\x64\x69\x8e\xdb\x01\x04\x06\x00\x01\x09\x0b\x00\x07\x0b\x01\x00\x01\x23\x03\x01\x01\x05\x5d\x00\x10\x00\x00\x0c\x06\x00\x08\x0d\x02\x09\x03\x0a\x01\xf1\x86\x6c\x7a\x66\x8a\xca\x11\x00\x00\x05\x02\x11\x19\x00\x61\x00\x2e\x00\x6a\x00\x70\x00\x67\x00\x00\x00\x62\x00\x2e\x00\x6a\x00\x70\x00\x67\x00\x00\x00\x15\x0a\x01\x00\x20\x80\xa4\x81\x20\x80\xa4\x81\x00\x00")
	xzSeed    = []byte("\xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x06\x63\x6f\x6e\x74\x65\x6e\x74\x00\x00\xa9\x30\xc5\xfe\x00\x01\x1b\x07\x12\xeb\xd4\x17\x90\x42\x99\x0d\x01\x00\x00\x00\x00\x01\x59\x5a")
)
