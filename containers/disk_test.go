//go:build cgo && native

package containers

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// partition lays file systems into a disk behind a table of volumes, each at a mebibyte
// of its own.
func partition(t testing.TB, table string, volumes ...string) (path string, offsets []int64) {
	t.Helper()
	at := int64(1 << 20)
	script := "label: " + table + "\n"
	var contents [][]byte
	for _, v := range volumes {
		b, err := os.ReadFile(v)
		if err != nil {
			t.Fatal(err)
		}
		contents, offsets = append(contents, b), append(offsets, at)
		size := (int64(len(b)) + 1<<20 - 1) >> 20 << 20
		script += fmt.Sprintf("start=%d, size=%d\n", at/512, size/512)
		at += size
	}
	dir := t.TempDir()
	path = sized(t, filepath.Join(dir, "disk.dd"), at+4<<20)
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "sh", "-c", "PATH=$PATH:/sbin sfdisk -q "+path+" < "+filepath.Join(dir, "script"))
	for i, b := range contents {
		write(t, path, offsets[i], b)
	}
	return path, offsets
}

func write(t testing.TB, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// ntfs makes one with a file that has a stream, a small one that lies in its record, and
// one whose record says that it is deleted.
func ntfs(t testing.TB, picture, stream, small, gone []byte) string {
	t.Helper()
	path := sized(t, filepath.Join(t.TempDir(), "ntfs.img"), 24<<20)
	run(t, "mkfs.ntfs", "-F", "-q", "-f", path)
	dir := folderOf(t, map[string][]byte{"picture.jpg": picture, "stream": stream, "small.gif": small, "gone.jpg": gone})
	for _, f := range []string{"picture.jpg", "small.gif", "gone.jpg"} {
		run(t, "ntfscp", "-f", path, filepath.Join(dir, f), f)
	}
	run(t, "ntfscp", "-f", "-N", "hidden.jpg", path, filepath.Join(dir, "stream"), "picture.jpg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mft := int64(binary.LittleEndian.Uint64(b[0x30:])) * int64(b[0x0d]) * int64(binary.LittleEndian.Uint16(b[0x0b:]))
	name := []byte("g\x00o\x00n\x00e\x00.\x00j\x00p\x00g\x00")
	for at := mft + 24*1024; at < int64(len(b)); at += 1024 {
		if string(b[at:at+4]) == "FILE" && bytes.Contains(b[at:at+1024], name) {
			write(t, path, at+22, []byte{0, 0})
			return path
		}
	}
	t.Fatal("no record of gone.jpg")
	return ""
}

func TestDiskWithATable(t *testing.T) {
	t.Parallel()
	s := samples(t)
	a, b, c, d := noisyJPEG(t, 11, 200), noisyJPEG(t, 12, 200), noisyJPEG(t, 13, 200), noisyJPEG(t, 14, 200)
	for _, table := range []string{"dos", "gpt"} {
		one := fat(t, 8<<20, map[string][]byte{"DCIM/a.jpg": a, "b deleted.jpg": b}, "b deleted.jpg")
		two := ext4(t, map[string][]byte{"c.jpg": c, "d.jpg": d}, "d.jpg")
		three := ntfs(t, a, b, s["gif"][:300], d)
		path, at := partition(t, table, one, two, three)
		all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, path)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			fmt.Sprintf("vol1@%d/DCIM/a.jpg", at[0]): string(a), fmt.Sprintf("vol1@%d/b deleted.jpg", at[0]): string(b),
			fmt.Sprintf("vol2@%d/c.jpg", at[1]): string(c), fmt.Sprintf("vol2@%d/d.jpg", at[1]): string(d),
			fmt.Sprintf("vol3@%d/picture.jpg", at[2]): string(a), fmt.Sprintf("vol3@%d/picture.jpg:hidden.jpg", at[2]): string(b),
			fmt.Sprintf("vol3@%d/small.gif", at[2]): string(s["gif"][:300]), fmt.Sprintf("vol3@%d/gone.jpg", at[2]): string(d),
		} {
			h := find(t, all, name)
			deleted := strings.HasSuffix(name, "b deleted.jpg") || strings.HasSuffix(name, "/d.jpg") || strings.HasSuffix(name, "gone.jpg")
			if h.content != want || h.Deleted != deleted || h.err != nil {
				t.Errorf("%s %s: %+v: %d bytes of %d, %v", table, name, h.Entry, len(h.content), len(want), h.err)
			}
			if raw, _ := os.ReadFile(path); h.Offset >= 0 && !bytes.HasPrefix(raw[h.Offset:], []byte(want[:100])) {
				t.Errorf("%s %s is not at %d", table, name, h.Offset)
			}
		}
		n := find(t, all, fmt.Sprintf("vol3@%d/picture.jpg", at[2]))
		if got := strings.Join(times(n), "; "); !strings.Contains(got, "Z NTFS $STANDARD_INFORMATION") || !strings.Contains(got, "Z NTFS $FILE_NAME") {
			t.Errorf("times %s", got)
		}
		if len(facts.Notes) < 3 {
			t.Errorf("notes %q", facts.Notes)
		}
		for _, h := range all {
			if strings.HasPrefix(string(h.Name), "$carved/") && h.content == string(a) {
				t.Errorf("%s is carved and in use", h.Name)
			}
		}
		t.Logf("%s: %q", table, facts.Notes)
	}
}

func TestOtherFileSystems(t *testing.T) {
	t.Parallel()
	a := noisyJPEG(t, 21, 200)
	dir := folderOf(t, map[string][]byte{"DCIM/picture.jpg": a})
	out := t.TempDir()
	for kind, make := range map[string]func(t *testing.T, path string){
		"iso9660": func(t *testing.T, path string) { run(t, "genisoimage", "-quiet", "-R", "-J", "-o", path, dir) },
		"ufs":     func(t *testing.T, path string) { run(t, "makefs", "-t", "ffs", "-s", "16m", path, dir) },
		"exfat": func(t *testing.T, path string) {
			run(t, "mkfs.exfat", sized(t, path, 16<<20))
		},
		"apfs": func(t *testing.T, path string) { run(t, "mkapfs", sized(t, path, 1<<30)) },
		"ext2": func(t *testing.T, path string) {
			run(t, "mke2fs", "-q", "-t", "ext2", "-b", "1024", "-d", dir, sized(t, path, 16<<20))
		},
		"ext3": func(t *testing.T, path string) {
			run(t, "mke2fs", "-q", "-t", "ext3", "-d", dir, sized(t, path, 16<<20))
		},
	} {
		t.Run(kind, func(t *testing.T) {
			path := filepath.Join(out, kind+".bin") // the name says nothing
			make(t, path)
			all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, path)
			if err != nil || !strings.Contains(strings.Join(facts.Notes, "; "), ": "+kind) {
				t.Fatalf("%q, %v", facts.Notes, err)
			}
			t.Logf("%q, %q", facts.Notes, namesOf(all))
			if kind == "apfs" || kind == "exfat" {
				return // no program puts files in
			}
			h := find(t, all, "vol1@0/DCIM/picture.jpg")
			if h.content != string(a) || h.Offset <= 0 {
				t.Errorf("%+v, %d bytes, %v", h.Entry, len(h.content), h.err)
			}
			t.Logf("%q", times(h))
		})
	}
}

// Everything that tsk_recover gives is among what is found here.
func TestAgainstTskRecover(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{}
	var gone []string
	for i := range 20 {
		name := fmt.Sprintf("DCIM/picture %d.jpg", i)
		files[name] = noisyJPEG(t, uint64(100+i), 60+20*i)
		if i%3 == 0 {
			gone = append(gone, name)
		}
	}
	quoted := []string{}
	for _, g := range gone {
		quoted = append(quoted, `"`+g+`"`)
	}
	path, offsets := partition(t, "gpt", ext4(t, files, quoted...), fat(t, 16<<20, files, gone...), ntfs(t, files["DCIM/picture 1.jpg"], files["DCIM/picture 2.jpg"], []byte("GIF89a"), files["DCIM/picture 3.jpg"]))
	all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, path)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[[32]byte]bool{}
	for _, h := range all {
		ours[sha256.Sum256([]byte(h.content))] = true
	}
	dir := t.TempDir()
	for i, off := range offsets {
		run(t, "tsk_recover", "-e", "-o", fmt.Sprint(off/512), path, filepath.Join(dir, fmt.Sprint(i)))
	}
	theirs := 0
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(p, "$Extend") || strings.HasPrefix(d.Name(), "$") {
			return err
		}
		b, err := os.ReadFile(p)
		if theirs++; len(b) > 0 && !ours[sha256.Sum256(b)] {
			t.Errorf("tsk_recover alone has %s, %d bytes", strings.TrimPrefix(p, dir), len(b))
		}
		return err
	})
	if err != nil || theirs < 40 {
		t.Errorf("%d files of tsk_recover, %v", theirs, err)
	}
	t.Logf("%d of tsk_recover, %d here; %q", theirs, len(all), facts.Notes)
}

// The same bytes give the same entries in the same order, cut into segments or not.
func TestSplitImage(t *testing.T) {
	t.Parallel()
	path := ext4(t, map[string][]byte{"a.jpg": noisyJPEG(t, 31, 300), "b.jpg": noisyJPEG(t, 32, 300)}, "b.jpg")
	b, _ := os.ReadFile(path)
	dir := t.TempDir()
	var parts []string
	for i := 0; i*5_000_001 < len(b); i++ {
		p := filepath.Join(dir, fmt.Sprintf("x.%03d", i+1))
		if err := os.WriteFile(p, b[i*5_000_001:min((i+1)*5_000_001, len(b))], 0o600); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	o := Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}
	whole, facts, err := listFiles(t, o, path)
	split, again, err2 := listFiles(t, o, parts...)
	if err != nil || err2 != nil || fmt.Sprint(whole) != fmt.Sprint(split) || !slices.Equal(facts.Notes, again.Notes) || len(whole) < 2 {
		t.Errorf("%v, %v; %s; %s", err, err2, namesOf(whole), namesOf(split))
	}
	e01 := acquire(t, b, "-c", "fast", "-S", "1MiB")
	from, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true, Verify: true}}, e01...)
	if err != nil || fmt.Sprint(whole) != fmt.Sprint(from) || facts.Format != "ewf" || !strings.Contains(facts.Notes[0], "MD5 stored by the acquiring tool agrees") {
		t.Errorf("E01: %v, %q; %s", err, facts.Notes, namesOf(from))
	}
	acquired := fmt.Sprintf("%x", sha256.Sum256(b))
	_, facts, err = listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Verify: true, Acquired: []string{acquired, strings.Repeat("ab", 16), "what"}}}, path)
	if err == nil || !strings.Contains(err.Error(), "THE IMAGE DIFFERS") { // nobody must overlook that
		t.Errorf("another digest is stated: %v", err)
	}
	if !strings.Contains(facts.Notes[0], "SHA-256 stated beside the image agrees") || !strings.HasPrefix(facts.Notes[1], "THE IMAGE DIFFERS") || !strings.Contains(facts.Notes[2], "neither MD5") {
		t.Errorf("%v, %q", err, facts.Notes)
	}
	// Of an image in another form, people note the digests of its files.
	of := e01[len(e01)-1]
	segment, _ := os.ReadFile(of)
	_, facts, err = listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Verify: true, Acquired: []string{fmt.Sprintf("%x", md5.Sum(segment))}}}, e01...)
	if err != nil || len(facts.Notes) < 2 || !strings.Contains(facts.Notes[0], "agrees") || !strings.Contains(facts.Notes[1], "is that of its file "+filepath.Base(of)+", and agrees") {
		t.Errorf("%v, %q", err, facts.Notes)
	}
	if _, facts, err = listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Verify: true}}, path); err != nil || !strings.Contains(facts.Notes[0], "was not verified: no digest") {
		t.Errorf("%v, %q", err, facts.Notes)
	}
}

// What no file system claims anymore is carved: a disk that was formatted again.
func TestFormattedDiskIsCarved(t *testing.T) {
	t.Parallel()
	s := samples(t)
	b := make([]byte, 16<<20)
	at := 11 << 20
	var want []string
	for _, ext := range []string{"jpg", "png", "heic", "mp4", "gif"} {
		copy(b[at:], s[ext])
		want = append(want, fmt.Sprintf("$carved/%012d.%s", at, ext))
		at += 64 << 10
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "disk.dd")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}
	check := func(what string) {
		all, facts, err := listFiles(t, o, path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range all {
			if h.Carved {
				got = append(got, string(h.Name))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s, %q", what, namesOf(all), facts.Notes)
		}
	}
	check("no file system")
	run(t, "mkfs.fat", path)
	check("formatted as FAT")
	run(t, "mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard", path)
	check("formatted as ext4")
	if all, _, err := listFiles(t, Options{}, path); err != nil || slices.ContainsFunc(all, func(h held) bool { return h.Carved }) {
		t.Errorf("carved without being asked: %s, %v", namesOf(all), err)
	}
}

func TestVolumesThatAreNotRead(t *testing.T) {
	t.Parallel()
	luks, xfs, unknown := sized(t, filepath.Join(t.TempDir(), "luks"), 2<<20), sized(t, filepath.Join(t.TempDir(), "xfs"), 2<<20), sized(t, filepath.Join(t.TempDir(), "x"), 2<<20)
	write(t, luks, 0, []byte("LUKS\xba\xbe\x00\x02"))
	write(t, xfs, 0, []byte("XFSB"))
	write(t, xfs, 1<<20, noisyJPEG(t, 1, 50))
	path, at := partition(t, "gpt", luks, xfs, unknown)
	all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, path)
	got := strings.Join(facts.Notes, "; ")
	if err != nil || !strings.Contains(got, "encrypted (LUKS)") || !strings.Contains(got, "not read (XFS)") || !strings.Contains(got, fmt.Sprintf("volume 3 at byte %d", at[2])) {
		t.Errorf("%v, %s", err, got)
	}
	if len(all) != 4 || all[0].Code != semblance.MediaEncrypted || all[1].Code != semblance.MediaUnsupported || all[2].Code != semblance.MediaUnsupported || !all[3].Carved {
		t.Errorf("%s", namesOf(all))
	}
	if string(all[0].Name) != fmt.Sprintf("vol1@%d", at[0]) || all[0].Size != 2<<20 || all[0].Offset != at[0] {
		t.Errorf("%+v", all[0].Entry)
	}
}

// Eight terabytes of hole with a small file system are listed and carved in no time.
func TestSparseDisk(t *testing.T) {
	t.Parallel()
	path := ext4(t, map[string][]byte{"a.jpg": noisyJPEG(t, 41, 100)})
	disk, _ := partition(t, "gpt", path)
	sized := func(size int64) {
		if err := os.Truncate(disk, size); err != nil {
			t.Skipf("no sparse files here: %v", err)
		}
	}
	sized(8 << 40)
	all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, disk)
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %s, %q", err, namesOf(all), facts.Notes)
	}
	t.Logf("%q", facts.Notes)
}

func TestImageCutShort(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{}
	for i := range 30 {
		files[fmt.Sprintf("%02d.jpg", i)] = noisyJPEG(t, uint64(50+i), 400)
	}
	path := ext4(t, files)
	whole, _, err := listFiles(t, Options{}, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, whole[20].Offset+1000); err != nil {
		t.Fatal(err)
	}
	all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, path)
	if code(t, err) != semblance.MediaDamaged || !strings.Contains(err.Error(), "the file system vol1@0 (ext4) reaches to byte 16777216") {
		t.Fatal(err)
	}
	good, lost := 0, 0
	for _, h := range all {
		switch {
		case h.err == nil && h.Code == "" && h.content == string(files[filepath.Base(string(h.Name))]):
			good++
		case code(t, h.err) == semblance.MediaDamaged && strings.Contains(h.err.Error(), "the image ends before byte") && h.Size == int64(len(files[filepath.Base(string(h.Name))])):
			lost++
		default:
			t.Errorf("%+v: %d bytes, %v", h.Entry, len(h.content), h.err)
		}
	}
	if good == 0 || lost == 0 || good+lost != 30 {
		t.Errorf("%d good, %d lost; %q", good, lost, facts.Notes)
	}
	t.Logf("%d good, %d lost; %q", good, lost, facts.Notes)
}

// TestImageThatEndsEarly: where an image ends before its table of volumes or a file system
// does, it fails, and so does every file that lies there; volumes in front are read.
func TestImageThatEndsEarly(t *testing.T) {
	t.Parallel()
	front, long, gone := random(100_000, 0), random(1_064_968, 0), random(300_000, 0)
	one := fat(t, 16<<20, map[string][]byte{"1 front.bin": front, "2 long.bin": long, "3 gone.bin": gone}, "3 gone.bin")
	two := ext4(t, map[string][]byte{"long.bin": long})
	dos, at := partition(t, "dos", one, two)
	gpt, _ := partition(t, "gpt", one, two)
	vol1, vol2 := fmt.Sprintf("vol1@%d/", at[0]), fmt.Sprintf("vol2@%d/", at[1])
	cut := func(of string, size int64) string {
		b, err := os.ReadFile(of)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "cut.dd")
		if err := os.WriteFile(path, b[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for name, c := range map[string]struct {
		path        string
		says        string // "": it is whole
		whole, lost []string
	}{
		"a card":                        {one, "", []string{"vol1@0/1 front.bin", "vol1@0/2 long.bin", "vol1@0/3 gone.bin"}, nil},
		"a card that is cut":            {cut(one, 700_000), "the image ends at byte 700000, and the file system vol1@0 (fat16) reaches to byte 16777216", []string{"vol1@0/1 front.bin"}, []string{"vol1@0/2 long.bin", "vol1@0/3 gone.bin"}},
		"a card rounded down":           {cut(one, 16<<20-4096), "", []string{"vol1@0/1 front.bin", "vol1@0/2 long.bin", "vol1@0/3 gone.bin"}, nil},
		"a disk":                        {dos, "", []string{vol1 + "2 long.bin", vol2 + "long.bin"}, nil},
		"a disk up to its last volume":  {cut(dos, at[1]+16<<20), "", []string{vol1 + "2 long.bin", vol2 + "long.bin"}, nil},
		"a disk cut in its last volume": {cut(dos, at[1]+8<<20), fmt.Sprintf("the file system vol2@%d (ext4) reaches to byte %d", at[1], at[1]+16<<20), []string{vol1 + "2 long.bin"}, nil},
		"a disk cut where it begins":    {cut(dos, at[1]+512), fmt.Sprintf("the table of volumes (dos) reaches to byte %d", at[1]+16<<20), []string{vol1 + "2 long.bin"}, nil},
		"a disk cut before it":          {cut(dos, 9<<20), fmt.Sprintf("the table of volumes (dos) reaches to byte %d", at[1]+16<<20), []string{vol1 + "2 long.bin"}, nil},
		"a GPT disk rounded down":       {cut(gpt, size(gpt)-8192), "", []string{vol1 + "2 long.bin", vol2 + "long.bin"}, nil},
		"a GPT disk without its end":    {cut(gpt, size(gpt)-2<<20), fmt.Sprintf("the table of volumes (gpt) reaches to byte %d", size(gpt)), []string{vol1 + "2 long.bin", vol2 + "long.bin"}, nil},
		"a GPT disk cut before it":      {cut(gpt, 9<<20), fmt.Sprintf("the table of volumes (gpt) reaches to byte %d", size(gpt)), []string{vol1 + "2 long.bin"}, nil},
	} {
		all, facts, err := listFiles(t, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true}}, c.path)
		switch {
		case c.says == "" && err != nil, c.says != "" && (code(t, err) != semblance.MediaDamaged || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s ends with %v", name, err)
		case strings.Contains(name, "rounded") != slices.ContainsFunc(facts.Notes, func(n string) bool { return err == nil && strings.HasPrefix(n, "the image ends") }):
			t.Errorf("%s: notes %q", name, facts.Notes)
		}
		for _, n := range c.whole {
			if h := find(t, all, n); h.err != nil || h.Code != "" || h.content != string(map[byte][]byte{'f': front, 'l': long, 'g': gone}[n[strings.LastIndexAny(n, " /")+1]]) {
				t.Errorf("%s: %+v: %d bytes, %v", name, h.Entry, len(h.content), h.err)
			}
		}
		for _, n := range c.lost {
			if h := find(t, all, n); code(t, h.err) != semblance.MediaDamaged || !strings.Contains(h.err.Error(), "the image ends before byte") || h.Size <= int64(len(h.content)) {
				t.Errorf("%s: %+v: %d bytes, %v", name, h.Entry, len(h.content), h.err)
			}
		}
	}
}
