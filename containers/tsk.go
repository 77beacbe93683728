//go:build cgo && native

package containers

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "tsklib.h"
*/
import "C"

import (
	"io"
	"runtime/cgo"
	"strings"
	"unsafe"

	"semblance"
)

const whySize = 512

// A text is a buffer that C writes a sentence into.
type text struct{ c *C.char }

func newText() text { return text{(*C.char)(C.calloc(1, whySize))} }

func (t text) String() string { return strings.ToValidUTF8(C.GoString(t.c), "?") }

func (t text) free() { C.free(unsafe.Pointer(t.c)) }

// DiskLibrary loads The Sleuth Kit and returns its version.
func DiskLibrary() (string, error) {
	t := newText()
	defer t.free()
	if C.sem_tsk_load(t.c, whySize) != C.SEM_TSK_OK {
		return "", semblance.Errorf(semblance.Unavailable, "disk images cannot be read here: The Sleuth Kit's library is not installed (%s)", t).
			WithHint("Install it: apt install libtsk19.")
	}
	return "The Sleuth Kit " + t.String(), nil
}

func noDiskMemory() error {
	return semblance.Errorf(semblance.MediaTooLarge, "reading the image needs more memory than the worker may have")
}

// A tskDisk is a device that The Sleuth Kit reads through us.
type tskDisk struct {
	dev    device
	read   int64
	report func(done int64)
	handle cgo.Handle
	d      *C.sem_disk
}

// openDisk hands a device to The Sleuth Kit. report is told now and then how many bytes
// were read.
func openDisk(dev device, report func(done int64)) (disk, error) {
	if _, err := DiskLibrary(); err != nil {
		return nil, err
	}
	d := &tskDisk{dev: dev, report: report}
	d.handle = cgo.NewHandle(d)
	if C.sem_disk_open(C.uintptr_t(d.handle), C.int64_t(dev.Size()), sectorSize, &d.d) != C.SEM_TSK_OK {
		d.handle.Delete()
		return nil, noDiskMemory()
	}
	return d, nil
}

func (d *tskDisk) close() {
	C.sem_disk_close(d.d)
	d.handle.Delete()
}

//export semDiskRead
func semDiskRead(handle C.uintptr_t, off C.int64_t, buf *C.char, n C.size_t) C.ssize_t {
	d := cgo.Handle(handle).Value().(*tskDisk)
	if off < 0 || int64(off) >= d.dev.Size() || n > 1<<30 {
		return -1
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(buf)), int(min(int64(n), d.dev.Size()-int64(off))))
	got, err := d.dev.ReadAt(b, int64(off))
	if got < len(b) && err != nil && err != io.EOF {
		return -1
	}
	if d.read += int64(got); d.report != nil {
		d.report(d.read)
	}
	return C.ssize_t(got)
}

func (d *tskDisk) volumes(how tableSearch) (list []volume, table string, backup bool, err error) {
	var (
		vols  *C.sem_volume
		n     C.size_t
		isBak C.int
		t     = newText()
	)
	defer t.free()
	switch C.sem_disk_volumes(d.d, C.int(how), &vols, &n, t.c, whySize, &isBak) {
	case C.SEM_TSK_NONE:
		return nil, "", false, nil
	case C.SEM_TSK_NO_MEMORY:
		return nil, "", false, noDiskMemory()
	}
	defer C.free(unsafe.Pointer(vols))
	for _, v := range unsafe.Slice(vols, int(n)) {
		list = append(list, volume{span: span{int64(v.start), int64(v.start + v.size)}, kind: volumeKind(v.kind), what: strings.ToValidUTF8(C.GoString(&v.what[0]), "?")})
	}
	return list, t.String(), isBak != 0, nil
}

// A tskSystem is an open file system.
type tskSystem struct {
	f *C.sem_fs
	i fsInfo
}

func (d *tskDisk) system(offset int64, index int) (fileSystem, error) {
	t := newText()
	defer t.free()
	s := &tskSystem{}
	var i C.sem_fs_info
	code := C.sem_fs_open(d.d, C.int64_t(offset), C.int(index), &s.f, &i, t.c, whySize)
	s.i = fsInfo{kind: C.GoString(&i._type[0]), block: int64(i.block_size), base: int64(i.offset), direct: i.direct != 0, zoned: i.zoned != 0,
		encrypted: i.encrypted != 0}
	s.i.span = span{s.i.base + int64(i.first_block)*s.i.block, s.i.base + int64(i.blocks)*s.i.block}
	s.i.reach = s.i.base + int64(i.all_blocks)*s.i.block
	switch code {
	case C.SEM_TSK_OK:
		return s, nil
	case C.SEM_TSK_NO_MEMORY:
		return nil, noDiskMemory()
	}
	s.close()
	if code == C.SEM_TSK_FAILED && s.i.kind != "" {
		what := "a file system (" + s.i.kind + ") that cannot be read"
		if s.i.encrypted {
			return nil, semblance.Errorf(semblance.MediaEncrypted, "%s: it is encrypted", what)
		}
		return nil, semblance.Errorf(semblance.MediaDamaged, "%s: %s", what, t)
	}
	return nil, io.EOF
}

func (s *tskSystem) info() fsInfo { return s.i }

func (s *tskSystem) close() {
	C.sem_fs_close(s.f)
	s.f = nil
}

// A tskWalk is what the callbacks of a walk give on to.
type tskWalk struct {
	name func(fsName) bool
	free func(span) bool
}

func (s *tskSystem) walk(yield func(fsName) bool) error {
	return goThrough("its folders cannot be gone through to the end", &tskWalk{name: yield}, func(h C.uintptr_t, t text) C.int {
		return C.sem_fs_walk(s.f, h, t.c, whySize)
	})
}

func (s *tskSystem) free(yield func(span) bool) error {
	return goThrough("which of its blocks are unused cannot be told to the end", &tskWalk{free: yield}, func(h C.uintptr_t, t text) C.int {
		return C.sem_fs_free(s.f, h, t.c, whySize)
	})
}

func goThrough(what string, w *tskWalk, call func(C.uintptr_t, text) C.int) error {
	t := newText()
	defer t.free()
	h := cgo.NewHandle(w)
	defer h.Delete()
	if call(C.uintptr_t(h), t) != C.SEM_TSK_OK {
		return semblance.Errorf(semblance.MediaDamaged, "%s: %s", what, t)
	}
	return nil
}

//export semName
func semName(handle C.uintptr_t, n *C.sem_name) C.int {
	w := cgo.Handle(handle).Value().(*tskWalk)
	name := fsName{path: C.GoString(n.path) + C.GoString(n.name), key: fileKey{uint64(n.inode), uint16(n._type), uint16(n.id)},
		kind: nameKind(n.kind), listed: n.unlisted == 0, state: metaState(n.state)}
	if n.stream != nil {
		name.path += ":" + C.GoString(n.stream)
	}
	if w.name(name) {
		return 0
	}
	return 1
}

//export semRange
func semRange(handle C.uintptr_t, start, end C.int64_t) C.int {
	if cgo.Handle(handle).Value().(*tskWalk).free(span{int64(start), int64(end)}) {
		return 0
	}
	return 1
}

// A tskFile is an open file.
type tskFile struct {
	f     *C.sem_file
	m     fsMeta
	count int64
}

// maxRuns bounds the memory of a file's runs; a file in more pieces is read by The Sleuth
// Kit.
const maxRuns = 1 << 22

func (s *tskSystem) open(k fileKey) (fsFile, error) {
	t := newText()
	defer t.free()
	f := &tskFile{}
	var m C.sem_meta
	code := C.sem_file_open(s.f, C.uint64_t(k.inode), C.uint16_t(k.kind), C.uint16_t(k.id), &f.f, &m, t.c, whySize)
	switch code {
	case C.SEM_TSK_OK, C.SEM_TSK_NONE:
	case C.SEM_TSK_NO_MEMORY:
		return nil, noDiskMemory()
	default:
		f.close()
		return nil, semblance.Errorf(semblance.MediaDamaged, "its record in the file system cannot be read: %s", t)
	}
	f.count = int64(m.runs)
	f.m = fsMeta{size: int64(m.size), unused: m.unused != 0, none: code == C.SEM_TSK_NONE, plain: m.plain != 0 && s.i.direct && f.count <= maxRuns,
		resident: m.resident != 0, compressed: m.compressed != 0, encrypted: m.encrypted != 0, initialized: int64(m.initialized), skip: int64(m.skip),
		blocks: int64(m.blocks), others: int64(m.others), link: C.GoString(&m.link[0])}
	for i := range f.m.times {
		f.m.times[i] = fsTime{int64(m.seconds[i]), uint32(m.nanos[i])}
	}
	for i := range f.m.nameTimes {
		f.m.nameTimes[i] = fsTime{int64(m.name_seconds[i]), uint32(m.name_nanos[i])}
	}
	return f, nil
}

func (f *tskFile) meta() fsMeta { return f.m }

func (f *tskFile) close() {
	C.sem_file_close(f.f)
	f.f = nil
}

func (f *tskFile) runs() []fsRun {
	if f.count == 0 || f.m.none {
		return nil
	}
	list := make([]C.sem_run, min(f.count, maxRuns))
	list = list[:C.sem_file_runs(f.f, &list[0], C.size_t(len(list)))]
	out := make([]fsRun, len(list))
	for i, r := range list {
		out[i] = fsRun{int64(r.offset), int64(r.addr), int64(r.len)}
	}
	return out
}

// ReadAt reads as The Sleuth Kit does.
func (f *tskFile) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if off >= f.m.size {
		return 0, io.EOF
	}
	t := newText()
	defer t.free()
	got := C.sem_file_read(f.f, C.int64_t(off), (*C.char)(unsafe.Pointer(&p[0])), C.size_t(min(int64(len(p)), f.m.size-off)), t.c, whySize)
	if got < 0 {
		return 0, semblance.Errorf(semblance.MediaDamaged, "the file cannot be read behind its first %d bytes: %s", off, t)
	}
	if int(got) < len(p) {
		return int(got), io.EOF
	}
	return int(got), nil
}
