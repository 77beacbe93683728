package containers

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// A fakeDisk is a disk that holds what a test says.
type fakeDisk struct {
	list    []volume
	systems map[int64]*fakeSystem
}

func (d *fakeDisk) volumes(tableSearch) ([]volume, string, bool, error) {
	table := ""
	if len(d.list) > 0 {
		table = "gpt"
	}
	return d.list, table, false, nil
}

func (d *fakeDisk) system(offset int64, index int) (fileSystem, error) {
	if s := d.systems[offset]; s != nil && index == 0 {
		return s, nil
	}
	return nil, io.EOF
}

func (d *fakeDisk) close() {}

type fakeSystem struct {
	i     fsInfo
	names func(yield func(fsName) bool)
	files map[fileKey]*fakeFile
	spans []span
}

func (s *fakeSystem) info() fsInfo { return s.i }

func (s *fakeSystem) walk(yield func(fsName) bool) error {
	s.names(yield)
	return nil
}

func (s *fakeSystem) free(yield func(span) bool) error {
	for _, x := range s.spans {
		yield(x)
	}
	return nil
}

func (s *fakeSystem) open(k fileKey) (fsFile, error) {
	if f := s.files[k]; f != nil {
		return f, nil
	}
	return nil, semblance.Errorf(semblance.MediaDamaged, "there is no record %d", k.inode)
}

func (s *fakeSystem) close() {}

type fakeFile struct {
	m    fsMeta
	list []fsRun
}

func (f *fakeFile) meta() fsMeta                      { return f.m }
func (f *fakeFile) runs() []fsRun                     { return f.list }
func (f *fakeFile) close()                            {}
func (f *fakeFile) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

func fakeImage(t testing.TB, dev device, d *fakeDisk) *diskImage {
	t.Helper()
	im := &diskImage{dev: dev, o: Options{}, disk: d}
	if err := im.list(); err != nil {
		t.Fatal(err)
	}
	return im
}

// A million files cost what is kept of their names.
//
// It is not parallel: what others keep at that time would count.
func TestImageOfAMillionFiles(t *testing.T) {
	const files = 1_000_000
	s := &fakeSystem{i: fsInfo{kind: "ext4", direct: true, block: 4096}}
	s.names = func(yield func(fsName) bool) {
		for i := range files {
			if !yield(fsName{path: fmt.Sprintf("home/user/Pictures/%03d/IMG_%07d.JPG", i%1000, i), key: fileKey{inode: uint64(i)}, kind: nameFile, listed: true, state: metaUsed}) {
				return
			}
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	im := fakeImage(t, &memory{b: make([]byte, 4096)}, &fakeDisk{systems: map[int64]*fakeSystem{0: s}})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := int64(after.HeapAlloc-before.HeapAlloc) / files; per > 200 {
		t.Errorf("%d bytes a name", per)
	}
	last := []byte(nil)
	for range 1000 {
		e, err := im.Next()
		if err != nil || bytes.Compare(last, e.Name) >= 0 {
			t.Fatalf("%s behind %s, %v", e.Name, last, err)
		}
		last = e.Name
	}
}

func TestWhatIsLeftOfDeletedFiles(t *testing.T) {
	t.Parallel()
	content := random(64<<10, 0)
	whole := fsMeta{size: 5000, initialized: 5000, plain: true}
	gone := whole
	gone.unused = true
	overwritten := gone
	overwritten.blocks, overwritten.others = 2, 1
	run := []fsRun{{offset: 0, addr: 4, blocks: 2}}
	s := &fakeSystem{i: fsInfo{kind: "ext4", direct: true, block: 4096, zoned: true}, files: map[fileKey]*fakeFile{
		{inode: 1}: {whole, run}, {inode: 2}: {gone, run}, {inode: 3}: {overwritten, run}, {inode: 4}: {fsMeta{unused: true}, nil},
		{inode: 5}: {fsMeta{size: 100_000, initialized: 100_000, plain: true, unused: true}, run},
		{inode: 6}: {fsMeta{size: 5000, initialized: 1000, plain: true}, run}, {inode: 7}: {fsMeta{size: 9, encrypted: true}, nil},
		{inode: 8}: {fsMeta{size: 8192, initialized: 8192, plain: true}, []fsRun{{0, -1, 1}, {1, 15, 2}}},
		{inode: 9}: {fsMeta{size: 8192, initialized: 8192, plain: true}, []fsRun{{0, 15, 2}}},
	}}
	names := []fsName{
		{path: "a", key: fileKey{inode: 1}, listed: true, state: metaUsed}, {path: "b", key: fileKey{inode: 2}, state: metaUnused},
		{path: "c", key: fileKey{inode: 3}, state: metaUnused}, {path: "d", key: fileKey{inode: 4}, state: metaUnused},
		{path: "e", key: fileKey{inode: 1}, state: metaUsed}, {path: "f", state: metaNone}, {path: "g", key: fileKey{inode: 5}, state: metaUnused},
		{path: "h", key: fileKey{inode: 6}, listed: true, state: metaUsed}, {path: "i", key: fileKey{inode: 7}, listed: true, state: metaUsed},
		{path: "$OrphanFiles/OrphanFile-2", key: fileKey{inode: 2}, listed: true, state: metaUnused},
		{path: "j", key: fileKey{inode: 8}, listed: true, state: metaUsed}, {path: "k", key: fileKey{inode: 9}, listed: true, state: metaUsed},
		{path: "l", key: fileKey{inode: 99}, listed: true, state: metaUsed}, {path: "m", key: fileKey{inode: 1 << 60}, listed: true, state: metaUsed},
	}
	s.names = func(yield func(fsName) bool) {
		for _, n := range names {
			n.kind = nameFile
			yield(n)
		}
	}
	im := fakeImage(t, &memory{b: content}, &fakeDisk{systems: map[int64]*fakeSystem{0: s}})
	all, facts, err := listReader(im)
	if err != nil || !slices.Equal(facts.Notes, []string{"vol1@0: ext4, 14 names"}) {
		t.Fatalf("%v %q", err, facts.Notes)
	}
	at := string(content[16384 : 16384+5000])
	for name, want := range map[string]struct {
		content, reason string
		code            semblance.Code
		deleted         bool
	}{
		"a": {content: at}, "b": {content: at, deleted: true}, "c": {content: at, deleted: true, reason: "1 of 2 blocks"},
		"d": {deleted: true, code: semblance.MediaDamaged, reason: "not tell anymore"}, "e": {deleted: true, code: semblance.MediaDamaged, reason: "belongs to another file"},
		"f": {deleted: true, code: semblance.MediaDamaged, reason: "only its name"}, "g": {content: string(content[16384 : 16384+8192]), deleted: true},
		"h": {content: at[:1000] + strings.Repeat("\x00", 4000)}, "i": {code: semblance.MediaEncrypted, reason: "encrypted"},
		"$Orphan/OrphanFile-2": {content: at, deleted: true}, "j": {content: strings.Repeat("\x00", 4096) + string(content[61440:])},
		"k": {content: string(content[61440:])}, "l": {code: semblance.MediaDamaged, reason: "no record 99"}, "m": {code: semblance.MediaDamaged, reason: "no record"},
	} {
		i := slices.IndexFunc(all, func(h held) bool { return string(h.Name) == "vol1@0/"+name })
		if i < 0 {
			t.Errorf("no entry %s", name)
			continue
		}
		h := all[i]
		if h.content != want.content || h.Code != want.code || h.Deleted != want.deleted || !strings.Contains(h.Reason, want.reason) || want.reason == "" && h.Reason != "" {
			t.Errorf("%s: %+v, %d bytes of %d", name, h.Entry, len(h.content), len(want.content))
		}
		if short := name == "g" || name == "k"; short != (h.err != nil) || short && code(t, h.err) != semblance.MediaDamaged {
			t.Errorf("%s ends with %v", name, h.err)
		}
	}
}

// A sector that cannot be read costs the file it is in.
func TestUnreadableSectorInAFile(t *testing.T) {
	t.Parallel()
	m := fsMeta{size: 8192, initialized: 8192, plain: true}
	s := &fakeSystem{i: fsInfo{kind: "ext4", direct: true, block: 4096}, files: map[fileKey]*fakeFile{
		{inode: 1}: {m, []fsRun{{0, 0, 2}}}, {inode: 2}: {m, []fsRun{{0, 2, 2}}}, {inode: 3}: {m, []fsRun{{0, 4, 2}}}}}
	s.names = func(yield func(fsName) bool) {
		for i, n := range []string{"a", "b", "c"} {
			yield(fsName{path: n, key: fileKey{inode: uint64(i + 1)}, kind: nameFile, listed: true, state: metaUsed})
		}
	}
	im := fakeImage(t, &memory{b: random(32<<10, 0), unreadable: span{12288, 12800}}, &fakeDisk{systems: map[int64]*fakeSystem{0: s}})
	all, _, err := listReader(im)
	if err != nil || len(all) != 3 || all[0].err != nil || all[2].err != nil || len(all[0].content) != 8192 || len(all[2].content) != 8192 {
		t.Fatalf("%v, %s", err, namesOf(all))
	}
	if code(t, all[1].err) != semblance.MediaDamaged || len(all[1].content) != 4096 || !strings.Contains(all[1].err.Error(), "cannot be read at byte 12288") {
		t.Errorf("%d bytes, %v", len(all[1].content), all[1].err)
	}
}

// What lacks at the end is a failure when it is much, or when a file lies there; holes and
// what was never written lie nowhere.
func TestWhatLiesBehindTheEnd(t *testing.T) {
	t.Parallel()
	const block = 4096
	plain := func(size, initialized int64, runs ...fsRun) *fakeFile {
		return &fakeFile{fsMeta{size: size, initialized: initialized, plain: true}, runs}
	}
	container := make([]byte, 4*block)
	copy(container[32:], "NXSB\x00\x10\x00\x00\x00\x40")
	for name, c := range map[string]struct {
		b     []byte
		kind  string
		reach int64
		file  *fakeFile
		fails bool
	}{
		"whole":                       {make([]byte, 4*block), "ext4", 4 * block, plain(block, block, fsRun{0, 3, 1}), false},
		"smaller than the device":     {make([]byte, 4*block), "ext4", 3 * block, plain(block, block, fsRun{0, 1, 1}), false},
		"rounded down":                {make([]byte, 4*block), "ext4", 5 * block, plain(block, block, fsRun{0, 3, 1}), false},
		"rounded down, a file there":  {make([]byte, 4*block), "ext4", 5 * block, plain(2*block, 2*block, fsRun{0, 3, 2}), true},
		"a file's last block is half": {make([]byte, 4*block-512), "ext4", 4 * block, plain(512, 512, fsRun{0, 3, 1}), false},
		"a hole":                      {make([]byte, 4*block), "ext4", 5 * block, plain(2*block, 2*block, fsRun{0, 1, 1}, fsRun{1, -1, 1}), false},
		"never written":               {make([]byte, 4*block), "ntfs", 5 * block, plain(2*block, block, fsRun{0, 3, 2}), false},
		"much":                        {make([]byte, 4*block), "ext4", 4*block + spareEnd, plain(block, block, fsRun{0, 1, 1}), true},
		"volumes that share blocks":   {container, "apfs", block, plain(block, block, fsRun{0, 1, 1}), true},
	} {
		s := &fakeSystem{i: fsInfo{kind: c.kind, direct: true, block: block, reach: c.reach}, files: map[fileKey]*fakeFile{{inode: 99}: c.file}}
		s.names = func(yield func(fsName) bool) {
			yield(fsName{path: "a", key: fileKey{inode: 99}, kind: nameFile, listed: true, state: metaUsed})
		}
		all, facts, err := listReader(fakeImage(t, &memory{b: c.b}, &fakeDisk{systems: map[int64]*fakeSystem{0: s}}))
		if len(all) != 1 || c.fails != (err != nil) || c.fails && code(t, err) != semblance.MediaDamaged {
			t.Errorf("%s: %v, %s, %q", name, err, namesOf(all), facts.Notes)
		}
		if behind := strings.Contains(name, "a file there"); behind != (all[0].err != nil) {
			t.Errorf("%s: the file ends with %v", name, all[0].err)
		}
	}
}

// What only The Sleuth Kit can read and lies behind the end says so.
func TestPackedFileBehindTheEnd(t *testing.T) {
	t.Parallel()
	s := &fakeSystem{i: fsInfo{kind: "ntfs", direct: true, block: 4096}, files: map[fileKey]*fakeFile{
		{inode: 99}: {fsMeta{size: 9000, initialized: 9000, compressed: true}, []fsRun{{0, 3, 2}}}}}
	s.names = func(yield func(fsName) bool) {
		yield(fsName{path: "a", key: fileKey{inode: 99}, kind: nameFile, listed: true, state: metaUsed})
	}
	all, _, err := listReader(fakeImage(t, &memory{b: make([]byte, 16<<10)}, &fakeDisk{systems: map[int64]*fakeSystem{0: s}}))
	if err != nil || len(all) != 1 || code(t, all[0].err) != semblance.MediaDamaged || !strings.Contains(all[0].err.Error(), "the image ends before byte 16384") {
		t.Errorf("%v, %v", err, all)
	}
}
