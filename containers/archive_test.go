package containers

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"semblance"
)

// archiveSeeds are small archives of every kind that can be made here.
func archiveSeeds(t testing.TB) [][]byte {
	return [][]byte{
		makeGzip(t, "photo.jpg", "content"), zipped(t, nil, map[string]string{"a.jpg": "one", "b/c.txt": "two"}),
		zipped(t, nil, map[string]string{"report.xml": report, "files/Image/IMG_1.jpg": "abc"}),
		sevenSeed, xzSeed, rar5(t, map[string]string{"a.jpg": "one"}, ""), rar4(map[string]string{"a.jpg": "one"}),
		androidBackup(t, tarred(t, tar.FormatUSTAR, map[string]string{"a.jpg": "one"}), 5, ""),
		tarred(t, tar.FormatPAX, map[string]string{"a.jpg": "one"}), tarred(t, tar.FormatGNU, map[string]string{"b/c.jpg": "one"}),
	}
}

// noise is content that does not compress, the same for the same seed.
func noise(seed uint64, n int) string {
	b := make([]byte, n)
	r := rand.NewPCG(seed, 1)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return string(b)
}

// byName is what was found, by name; names that occur twice are a defect of the test.
func byName(t testing.TB, all []held) map[string]held {
	t.Helper()
	m := map[string]held{}
	for _, h := range all {
		if _, ok := m[string(h.Name)]; ok {
			t.Fatalf("%s twice", h.Name)
		}
		m[string(h.Name)] = h
	}
	return m
}

// A tree is what archives of the tests hold.
var tree = map[string]string{
	"DCIM/100APPLE/IMG_0001.JPG": noise(1, 5000),
	"docs/notes.txt":             strings.Repeat("what a phone writes down; ", 400),
	"empty.txt":                  "",
	"video.mp4":                  noise(2, 70000),
}

// holds checks that an archive gave the tree.
func holds(t *testing.T, all []held, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	found := byName(t, all)
	for name, content := range tree {
		h, ok := found[name]
		if !ok || h.content != content || h.err != nil || h.Code != "" {
			t.Errorf("%s: found %v, %d of %d bytes, %v, %s %s", name, ok, len(h.content), len(content), h.err, h.Code, h.Reason)
		}
	}
}

// everyBeginning gives every beginning of an archive to its reader: no panic, what is said is a
// sentence, and what comes is what was there.
func everyBeginning(t *testing.T, name string, whole []byte, o Options, want map[string]string) {
	t.Helper()
	for n := range whole {
		r, err := Open([]Part{{Name: name, R: bytes.NewReader(whole[:n]), Size: int64(n)}}, o)
		if err != nil {
			code(t, err)
		}
		if r == nil {
			continue
		}
		for {
			e, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				code(t, err)
				break
			}
			if e.Kind != semblance.EntryFile || e.Code != "" {
				continue
			}
			in, err := r.Open()
			var b []byte
			if err == nil {
				b, err = io.ReadAll(in)
			}
			full := want[string(e.Name)]
			if err == nil && string(b) != full && len(full) > 0 {
				t.Fatalf("cut at %d of %d: %s has %d of %d bytes and nothing is said", n, len(whole), e.Name, len(b), len(full))
			}
			if err != nil {
				code(t, err)
			}
			// Where the size was lost with the directory, a data descriptor can be taken
			// for content; the error says so.
			if !strings.HasPrefix(full, string(b)) && (err == nil || !strings.HasPrefix(string(b), full) || len(b) > len(full)+24) {
				t.Fatalf("cut at %d of %d: %s has bytes that were not there", n, len(whole), e.Name)
			}
		}
		r.Close()
	}
}

func zipped(t testing.TB, edit func(*zip.FileHeader), files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range sortedKeys(files) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if edit != nil {
			edit(h)
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sortedKeys(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func tarred(t testing.TB, format tar.Format, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range sortedKeys(files) {
		h := &tar.Header{Name: name, Size: int64(len(files[name])), Mode: 0o644, ModTime: time.Unix(1556964671, 0), Format: format}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZip(t *testing.T) {
	t.Parallel()
	at := time.Date(2019, 5, 4, 10, 11, 12, 0, time.UTC)
	for name, edit := range map[string]func(*zip.FileHeader){
		"deflated": func(h *zip.FileHeader) { h.Modified = at },
		"stored":   func(h *zip.FileHeader) { h.Method, h.Modified = zip.Store, at },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, facts, err := list(t, "a.zip", zipped(t, edit, tree), Options{})
			holds(t, all, err)
			if len(facts.Notes) != 0 || facts.Format != "zip" {
				t.Errorf("facts %+v", facts)
			}
			if got := string(all[0].Name); got != "DCIM/100APPLE/IMG_0001.JPG" {
				t.Errorf("%s comes first", got)
			}
			want := []semblance.FileTime{
				{What: "modified", Time: "2019-05-04T10:11:12Z", Source: "zip extended timestamp"},
				{What: "modified", Time: "2019-05-04T10:11:12", Source: "zip DOS time"},
			}
			if !slices.Equal(all[0].Times, want) {
				t.Errorf("times %+v", all[0].Times)
			}
			if all[0].Offset != 30+int64(len(all[0].Name))+9 {
				t.Errorf("offset %d", all[0].Offset)
			}
		})
	}
}

func TestZipCutShort(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a.jpg": "one picture", "b.jpg": strings.Repeat("two ", 50), "c.txt": ""}
	store := func(h *zip.FileHeader) { h.Method = zip.Store }
	everyBeginning(t, "a.zip", zipped(t, nil, files), Options{}, files)
	everyBeginning(t, "a.zip", zipped(t, store, files), Options{}, files)
}

func TestZipWithoutDirectory(t *testing.T) {
	t.Parallel()
	whole := zipped(t, nil, tree)
	at := bytes.LastIndex(whole, []byte("PK\x05\x06"))
	first := bytes.Index(whole, []byte("PK\x01\x02"))
	for name, b := range map[string][]byte{"no end": whole[:at], "no directory": whole[:first], "damaged directory": slices.Concat(whole[:first+46], []byte("xxxx"), whole[first+50:])} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "damaged directory" {
				b = bytes.Clone(whole)
				second := first + 4 + bytes.Index(b[first+4:], []byte("PK\x01\x02"))
				b[second] = 'x'
			}
			all, facts, err := list(t, "a.zip", b, Options{})
			holds(t, all, err)
			if len(all) != len(tree) || len(facts.Notes) != 1 || !strings.Contains(facts.Notes[0], "missing or damaged") {
				t.Errorf("%d entries, notes %q", len(all), facts.Notes)
			}
		})
	}
}

// TestZipUnlisted finds an entry that was taken out of the directory and not out of the
// archive.
func TestZipUnlisted(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a.jpg": noise(1, 300), "b.jpg": noise(2, 300), "c.jpg": noise(3, 300)}
	whole := zipped(t, func(h *zip.FileHeader) { h.Method = zip.Store }, files)
	dir := bytes.Index(whole, []byte("PK\x01\x02"))
	second := dir + 4 + bytes.Index(whole[dir+4:], []byte("PK\x01\x02"))
	third := second + 4 + bytes.Index(whole[second+4:], []byte("PK\x01\x02"))
	b := slices.Concat(whole[:second], whole[third:])
	end := b[bytes.LastIndex(b, []byte("PK\x05\x06")):]
	binary.LittleEndian.PutUint16(end[8:], 2)
	binary.LittleEndian.PutUint16(end[10:], 2)
	binary.LittleEndian.PutUint32(end[12:], binary.LittleEndian.Uint32(end[12:])-uint32(third-second))
	all, facts, err := list(t, "a.zip", b, Options{})
	found := byName(t, all)
	if err != nil || len(found) != 3 || !found["b.jpg"].Deleted || found["a.jpg"].Deleted || found["b.jpg"].content != files["b.jpg"] || found["b.jpg"].err != nil {
		t.Errorf("%+v %v", found["b.jpg"].Entry, err)
	}
	if len(facts.Notes) != 1 || !strings.Contains(facts.Notes[0], "not listed") {
		t.Errorf("notes %q", facts.Notes)
	}
}

// TestZipOverlaps gives entries that all end in the same bytes: one is read.
func TestZipOverlaps(t *testing.T) {
	t.Parallel()
	kernel := zipped(t, func(h *zip.FileHeader) { h.Method = zip.Store }, map[string]string{"a.jpg": strings.Repeat("x", 1000)})
	dir := bytes.Index(kernel, []byte("PK\x01\x02"))
	end := bytes.LastIndex(kernel, []byte("PK\x05\x06"))
	record := kernel[dir:end]
	b := slices.Clone(kernel[:dir])
	for range 100 {
		b = append(b, record...)
	}
	tail := slices.Clone(kernel[end:])
	binary.LittleEndian.PutUint16(tail[8:], 100)
	binary.LittleEndian.PutUint16(tail[10:], 100)
	binary.LittleEndian.PutUint32(tail[12:], uint32(100*len(record)))
	b = append(b, tail...)
	all, facts, err := list(t, "bomb.zip", b, Options{})
	read := 0
	for _, h := range all {
		if h.Code == "" {
			read++
		} else if !strings.Contains(h.Reason, "zip bomb") {
			t.Errorf("reason %q", h.Reason)
		}
	}
	if err != nil || read != 1 || len(all) != 100 || !strings.Contains(strings.Join(facts.Notes, "\n"), "99 entries") {
		t.Errorf("%d of %d read, %v, %q", read, len(all), err, facts.Notes)
	}
}

func TestZipNames(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, n := range []string{"/etc/passwd", "../../x.jpg", `C:\Users\a.jpg`, "a\x00b.jpg", "caf\x82.jpg", "plain.jpg"} {
		files[n] = n
	}
	all, facts, err := list(t, "a.zip", zipped(t, nil, files), Options{})
	if err != nil || len(all) != len(files) {
		t.Fatalf("%d entries, %v", len(all), err)
	}
	for _, h := range all {
		if h.content != string(h.Name) {
			t.Errorf("%q has %q", h.Name, h.content)
		}
	}
	want := []string{"names with an absolute path or one that leads out of the archive: 3", "names with a backslash: 1", "names with a NUL byte: 1", "names with bytes that are not UTF-8: 1"}
	if !slices.Equal(facts.Notes, want) {
		t.Errorf("notes %q", facts.Notes)
	}
	// A name in Unicode beside the one of old.
	extra := binary.LittleEndian.AppendUint16(nil, 0x7075)
	extra = binary.LittleEndian.AppendUint16(extra, uint16(5+len("café.jpg")))
	extra = append(binary.LittleEndian.AppendUint32(append(extra, 1), crc32.ChecksumIEEE([]byte("caf\x82.jpg"))), "café.jpg"...)
	b := zipped(t, func(h *zip.FileHeader) { h.Extra = extra }, map[string]string{"caf\x82.jpg": "x"})
	if all, _, err = list(t, "a.zip", b, Options{}); err != nil || string(all[0].Name) != "café.jpg" {
		t.Errorf("%q, %v", all[0].Name, err)
	}
}

// TestZipDamaged changes a byte of a content: it comes, and is said to be damaged.
func TestZipDamaged(t *testing.T) {
	t.Parallel()
	whole := zipped(t, func(h *zip.FileHeader) { h.Method = zip.Store }, map[string]string{"a.jpg": "0123456789"})
	whole[bytes.Index(whole, []byte("0123"))] = 'x'
	all, _, err := list(t, "a.zip", whole, Options{})
	if err != nil || all[0].content != "x123456789" || code(t, all[0].err) != semblance.MediaDamaged {
		t.Errorf("%+v, %v", all, err)
	}
}

// packed runs a packer of Debian's in a folder with the tree and returns the archive.
func packed(t *testing.T, archive string, command ...string) []byte {
	t.Helper()
	parts := packedParts(t, archive, command...)
	b, err := io.ReadAll(io.NewSectionReader(parts[0].R, 0, parts[0].Size))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packedParts is packed, of an archive in segments: those whose names match the pattern.
func packedParts(t *testing.T, pattern string, command ...string) (parts []Part) {
	t.Helper()
	program, err := exec.LookPath(command[0])
	if err != nil {
		t.Skipf("%s is not installed: scripts/setup", command[0])
	}
	folder := t.TempDir()
	for name, content := range tree {
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, command[1:]...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	found, _ := filepath.Glob(filepath.Join(folder, pattern))
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, Part{Name: filepath.Base(f), R: bytes.NewReader(b), Size: int64(len(b))})
	}
	if len(parts) == 0 {
		t.Fatalf("%v made nothing that matches %s", command, pattern)
	}
	return parts
}

func listParts(t *testing.T, parts []Part, o Options) (all []held, facts semblance.ContainerFacts, end error) {
	t.Helper()
	r, err := Open(parts, o)
	if err != nil {
		return nil, facts, err
	}
	if r == nil {
		t.Fatalf("%s is taken for no container", parts[0].Name)
	}
	defer r.Close()
	return listReader(r)
}

func TestZipEncrypted(t *testing.T) {
	t.Parallel()
	passwords := Options{ContainerOptions: semblance.ContainerOptions{Passwords: []string{"wrong", "another", "geheim", "last"}}}
	for name, command := range map[string][]string{
		"ZipCrypto": {"zip", "-qr", "-P", "geheim", "a.zip", "."},
		"AES-128":   {"7z", "a", "-tzip", "-pgeheim", "-mem=AES128", "a.zip", "."},
		"AES-256":   {"7z", "a", "-tzip", "-pgeheim", "-mem=AES256", "a.zip", "."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := packed(t, "a.zip", command...)
			all, facts, err := list(t, "a.zip", b, passwords)
			holds(t, all, err)
			if facts.Password != 3 {
				t.Errorf("password %d", facts.Password)
			}
			all, facts, err = list(t, "a.zip", b, Options{ContainerOptions: semblance.ContainerOptions{Passwords: passwords.Passwords[:2]}})
			refused := 0
			for _, h := range all {
				if h.Code == semblance.MediaEncrypted && h.Reason == "encrypted, and none of the 2 passwords opens it" {
					refused++
				} else if h.Kind == semblance.EntryFile && h.Size > 0 {
					t.Errorf("%s is not said to be encrypted", h.Name)
				}
			}
			if err != nil || refused < 3 || facts.Password != 0 {
				t.Errorf("%d refused, %v", refused, err)
			}
		})
	}
}

func TestZipSplit(t *testing.T) {
	t.Parallel()
	parts := packedParts(t, "a.z*", "zip", "-qr", "-0", "-s", "64k", "a.zip", ".")
	if len(parts) != 2 || parts[1].Name != "a.zip" {
		t.Fatalf("parts %+v", parts)
	}
	all, _, err := listParts(t, []Part{parts[1], parts[0]}, Options{})
	holds(t, all, err)
	// The last segment alone: what is in it is found.
	_, facts, err := listParts(t, parts[1:], Options{})
	if err == nil && !strings.Contains(strings.Join(facts.Notes, " "), "segments") {
		t.Errorf("nothing is said of the missing segment: %q", facts.Notes)
	}
}

// TestZipMethods reads what 7-Zip packs by each method.
func TestZipMethods(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	for _, method := range []string{"Deflate64", "BZip2", "LZMA"} {
		b := packed(t, "a.zip", "sh", "-c", "cp /bin/sh prog; cat prog video.mp4 prog >twice; 7z a -tzip -mm="+method+" a.zip DCIM docs empty.txt video.mp4 prog twice")
		all, _, err := list(t, "a.zip", b, Options{})
		holds(t, all, err)
		for _, h := range all {
			if want := string(program); h.err != nil || string(h.Name) == "prog" && h.content != want || string(h.Name) == "twice" && h.content != want+tree["video.mp4"]+want {
				t.Errorf("%s: %s: %v", method, h.Name, h.err)
			}
		}
	}
	b := packed(t, "a.zip", "sh", "-c", "printf one >a.jpg; 7z a -tzip -mm=Deflate64 a.zip a.jpg docs")
	everyBeginning(t, "a.zip", b[:200], Options{}, map[string]string{"a.jpg": "one", "docs/notes.txt": tree["docs/notes.txt"]})
}

func TestZip64(t *testing.T) {
	t.Parallel()
	// From a pipe, zip does not know sizes beforehand and writes zip64 records.
	b := packed(t, "b.zip", "sh", "-c", "zip -qr -fz b.zip . -x b.zip")
	all, _, err := list(t, "a.zip", b, Options{})
	holds(t, all, err)
	// Behind something else, as in a program that unpacks itself.
	all, _, err = list(t, "a.exe", append([]byte("MZ"+noise(1, 1000)), b...), Options{})
	holds(t, all, err)
}

func TestTar(t *testing.T) {
	t.Parallel()
	for _, f := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		all, facts, err := list(t, "a.tar", tarred(t, f, tree), Options{})
		holds(t, all, err)
		if facts.Format != "tar" || all[0].Offset%512 != 0 || all[0].Times[0].Time != "2019-05-04T10:11:11Z" {
			t.Errorf("%v: %+v, %+v", f, facts, all[0].Entry)
		}
	}
	files := map[string]string{"a.jpg": "one picture", "b.jpg": strings.Repeat("two ", 50)}
	everyBeginning(t, "a.tar", tarred(t, tar.FormatPAX, files), Options{}, files)
}

func TestTarSparse(t *testing.T) {
	t.Parallel()
	b := packed(t, "a.tar", "sh", "-c", "truncate -s 1M sparse.bin && printf end >>sparse.bin && tar -Scf a.tar sparse.bin video.mp4")
	if len(b) > 200<<10 {
		t.Fatalf("tar wrote %d bytes: the file is not sparse there", len(b))
	}
	all, _, err := list(t, "a.tar", b, Options{})
	found := byName(t, all)
	if err != nil || found["sparse.bin"].content != strings.Repeat("\x00", 1<<20)+"end" || found["sparse.bin"].err != nil || found["video.mp4"].content != tree["video.mp4"] {
		t.Errorf("%v, %v", found["sparse.bin"].err, err)
	}
}

// TestTarDamagedHeader goes on behind a header that was overwritten.
func TestTarDamagedHeader(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a.jpg": noise(1, 600), "b.jpg": noise(2, 600), "c.jpg": noise(3, 600)}
	whole := tarred(t, tar.FormatUSTAR, files)
	copy(whole[512+1024:], "xxxxxxxx") // the second header
	for name, b := range map[string][]byte{"a.tar": whole, "a.tar.gz": makeGzip(t, "", string(whole))} {
		all, facts, err := list(t, name, b, Options{})
		found := byName(t, all)
		if err != nil || len(all) != 2 || found["c.jpg"].content != files["c.jpg"] || len(facts.Notes) != 1 || !strings.Contains(facts.Notes[0], "1536 bytes at offset 1536") {
			t.Errorf("%s: %d entries, %q, %v", name, len(all), facts.Notes, err)
		}
	}
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	plain := tree["docs/notes.txt"]
	archive := string(tarred(t, tar.FormatUSTAR, tree))
	for name, pack := range map[string]func(string) []byte{
		"gzip": func(s string) []byte { return makeGzip(t, "", s) },
		"zstd": func(s string) []byte {
			w, _ := zstd.NewWriter(nil)
			return w.EncodeAll([]byte(s), nil)
		},
		"lz4": func(s string) []byte {
			var b bytes.Buffer
			w := lz4.NewWriter(&b)
			_, err := io.WriteString(w, s)
			if err = errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		},
		"bzip2": func(s string) []byte { return filtered(t, s, "bzip2") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := pack(plain)
			all, facts, err := list(t, "notes.txt.x", b, Options{})
			if err != nil || len(all) != 1 || all[0].content != plain || all[0].err != nil || string(all[0].Name) != "notes.txt" || facts.Format != name {
				t.Fatalf("%d entries, %+v, %v", len(all), facts, err)
			}
			// Several of them are one.
			all, _, err = list(t, "notes.txt.x", slices.Concat(b, b), Options{})
			if err != nil || all[0].content != plain+plain || all[0].err != nil {
				t.Errorf("two behind each other: %d bytes, %v, %v", len(all[0].content), all[0].err, err)
			}
			everyBeginning(t, "a.x", b, Options{}, map[string]string{"a": plain})
			// A tar archive in it is gone through at once.
			all, facts, err = list(t, "a.tar.x", pack(archive), Options{})
			holds(t, all, err)
			if facts.Format != "tar."+name {
				t.Errorf("format %s", facts.Format)
			}
			b = pack(archive)
			all, _, err = list(t, "a.tar.x", b[:len(b)-3], Options{})
			if len(all) != len(tree) && err == nil && code(t, all[0].err) != semblance.MediaDamaged || err != nil && code(t, err) != semblance.MediaDamaged {
				t.Errorf("cut short: %d entries, %v", len(all), err)
			}
		})
	}
}

// filtered is what a program of Debian's makes of content.
func filtered(t *testing.T, content string, command ...string) []byte {
	t.Helper()
	program, err := exec.LookPath(command[0])
	if err != nil {
		t.Skipf("%s is not installed: scripts/setup", command[0])
	}
	cmd := exec.CommandContext(t.Context(), program, command[1:]...)
	cmd.Stdin = strings.NewReader(content)
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSkippable begins with a frame that decoders skip, as some parallel packers write.
func TestSkippable(t *testing.T) {
	t.Parallel()
	w, _ := zstd.NewWriter(nil)
	b := append([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), w.EncodeAll([]byte("content"), nil)...)
	all, facts, err := list(t, "a.txt.zst", b, Options{})
	if err != nil || facts.Format != "zstd" || all[0].content != "content" || all[0].err != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestGzipTrailing(t *testing.T) {
	t.Parallel()
	b := makeGzip(t, "a.jpg", "content")
	for tail, notes := range map[string]int{strings.Repeat("\x00", 100): 0, "something": 1} {
		all, facts, err := list(t, "a.gz", append(bytes.Clone(b), tail...), Options{})
		if err != nil || all[0].content != "content" || all[0].err != nil || len(facts.Notes) != notes {
			t.Errorf("%q: %+v %+v %v", tail, all, facts, err)
		}
	}
}

// TestBombs asks for more memory than one reader gets.
func TestBombs(t *testing.T) {
	t.Parallel()
	// A zstd frame that states a window of 3.75 TiB.
	_, _, err := list(t, "a.zst", []byte("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00"), Options{})
	all, _, _ := list(t, "a.zst", []byte("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00"), Options{})
	if err == nil {
		err = all[0].err
	}
	if code(t, err) != semblance.MediaTooLarge {
		t.Errorf("zstd: %v", err)
	}
	// A zip directory larger than is kept.
	b := make([]byte, 22)
	copy(b, "PK\x05\x06")
	binary.LittleEndian.PutUint32(b[12:], 600<<20)
	r := io.NewSectionReader(zeroEnd{b, 700 << 20}, 0, 700<<20)
	if _, err := Open([]Part{{Name: "a.zip", R: r, Size: r.Size()}}, Options{}); code(t, err) != semblance.MediaTooLarge {
		t.Errorf("zip: %v", err)
	}
}

// A zeroEnd is many zeros with something at the end.
type zeroEnd struct {
	end  []byte
	size int64
}

func (z zeroEnd) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for i := range p {
		if at := off + int64(i) - (z.size - int64(len(z.end))); at >= 0 && at < int64(len(z.end)) {
			p[i] = z.end[at]
		}
	}
	return len(p), nil
}
