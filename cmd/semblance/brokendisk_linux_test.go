package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A brokenDisk shows a folder as a file system of its own whose reads fail where it is
// told, as those of a disk with bad sectors do, or all at once, as when the cable is
// pulled.
type brokenDisk struct {
	at string // where it is mounted

	unplugged atomic.Bool
	reads     atomic.Int64 // reads until it is unplugged; 0 for never

	mu  sync.Mutex
	bad map[string][][2]int64 // by path: from and to
}

func mountBroken(t *testing.T, folder string) *brokenDisk {
	t.Helper()
	d := &brokenDisk{at: t.TempDir(), bad: map[string][][2]int64{}}
	root := &fs.LoopbackRoot{Path: folder}
	root.RootNode = &brokenNode{LoopbackNode: &fs.LoopbackNode{RootData: root}, disk: d}
	server, err := fs.Mount(d.at, root.RootNode, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "broken", Name: "broken", Options: []string{"ro"}}})
	if err != nil {
		t.Skipf("no file system can be mounted here, so none with read errors: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// fail makes reads of a part of a file fail.
func (d *brokenDisk) fail(path string, from, to int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad[path] = append(d.bad[path], [2]int64{from, to})
}

// repair makes all as it should be.
func (d *brokenDisk) repair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bad = map[string][][2]int64{}
	d.reads.Store(0)
	d.unplugged.Store(false)
}

// read is 0, or the error that a read gives.
func (d *brokenDisk) read(path string, off int64, n int) syscall.Errno {
	if d.reads.Load() > 0 && d.reads.Add(-1) == 0 {
		d.unplugged.Store(true)
	}
	if d.unplugged.Load() {
		return syscall.EIO
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.bad[path] {
		if off < b[1] && off+int64(n) > b[0] {
			return syscall.EIO
		}
	}
	return 0
}

type brokenNode struct {
	*fs.LoopbackNode
	disk *brokenDisk
}

// WrapChild breaks what lies in a folder as well.
func (n *brokenNode) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &brokenNode{LoopbackNode: ops.(*fs.LoopbackNode), disk: n.disk}
}

func (n *brokenNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if n.disk.unplugged.Load() {
		return nil, syscall.EIO
	}
	return n.LoopbackNode.Lookup(ctx, name, out)
}

func (n *brokenNode) Getattr(ctx context.Context, f fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if n.disk.unplugged.Load() {
		return syscall.EIO
	}
	return n.LoopbackNode.Getattr(ctx, nil, out)
}

func (n *brokenNode) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if n.disk.unplugged.Load() {
		return nil, 0, syscall.EIO
	}
	return n.LoopbackNode.OpendirHandle(ctx, flags)
}

func (n *brokenNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if n.disk.unplugged.Load() {
		return nil, 0, syscall.EIO
	}
	f, more, errno := n.LoopbackNode.Open(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &brokenFile{inner: f, disk: n.disk, path: n.Path(n.Root())}, more | fuse.FOPEN_DIRECT_IO, 0
}

type brokenFile struct {
	inner fs.FileHandle
	disk  *brokenDisk
	path  string
}

func (f *brokenFile) Read(ctx context.Context, b []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := f.disk.read(f.path, off, len(b)); errno != 0 {
		return nil, errno
	}
	return f.inner.(fs.FileReader).Read(ctx, b, off)
}

func (f *brokenFile) Release(ctx context.Context) syscall.Errno {
	return f.inner.(fs.FileReleaser).Release(ctx)
}

// withoutOrder is a report without what depends on which copy of a media was seen first,
// and without the folders that an earlier run could not list.
func withoutOrder(report string) string {
	lines := strings.SplitAfter(strings.NewReplacer(`"status":"duplicate"`, `"status":"new"`).Replace(report), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool {
		return strings.Contains(l, "the folder could not be read by an earlier run; it has been read since")
	}), "")
}

// TestDiskWithBadSectors: what cannot be read is told with its reason and fails, what
// can be is found, inside a disk image too, and the next run tries again.
func TestDiskWithBadSectors(t *testing.T) {
	t.Parallel()
	bench, pictures := seized(t)
	copyTo(t, pictures[4], filepath.Join(bench, "photos/a.jpg"))
	copyTo(t, pictures[5], filepath.Join(bench, "photos/b.jpg"))
	whole := newInstallation(t, pictures)
	whole.run("scan", bench, "--case", "C1", "--exhibit", "bench")
	want := whole.run("report", "C1", "--format", "jsonl")
	at := regexp.MustCompile(`IMG_0002.JPG",.*"offset":(\d+)`).FindStringSubmatch(want)
	if at == nil {
		t.Fatalf("no report of IMG_0002.JPG:\n%s", want)
	}
	sector, err := strconv.ParseInt(at[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}

	disk := mountBroken(t, bench)
	disk.fail("photos/b.jpg", 4096, 8192)
	disk.fail("phone.raw", 6<<20, 7<<20)
	disk.fail("phone.raw", sector+8192, sector+8704)
	d := newInstallation(t, pictures)
	d.run("scan", disk.at, "--case", "C1", "--exhibit", "bench")
	report := d.run("report", "C1", "--format", "jsonl")
	tells(t, report, [][]string{
		{`"event":"item"`, `"path":"photos/a.jpg"`, `"status":"new"`},
		{`"event":"item"`, `"path":"photos/b.jpg"`, `"status":"failed"`, "input/output error"},
		{`"event":"item"`, `"path":"phone.raw"`, `"status":"failed"`, "input/output error", "bytes that nothing uses could not be read"},
		{`"event":"item"`, `"path":"phone.raw//vol1@0/DCIM/100APPLE/IMG_0001.JPG"`, `"sha256":`},
		{`"event":"item"`, `"path":"phone.raw//vol1@0/DCIM/100APPLE/IMG_0002.JPG"`, `"status":"failed"`, "read"},
		{`"event":"hit"`, `"path":"phone.raw//vol1@0/Download/gone.jpg"`},
	})

	disk.repair()
	d.run("scan", disk.at, "--case", "C1", "--exhibit", "bench")
	if got := d.run("report", "C1", "--format", "jsonl"); withoutOrder(got) != withoutOrder(want) {
		t.Errorf("after the disk was mended the report is\n%s\nwant\n%s", got, want)
	}
}

// TestUnpluggedDisk: a scan of a disk that goes away ends and says so, keeps what it
// recorded, and the next run goes on.
func TestUnpluggedDisk(t *testing.T) {
	t.Parallel()
	bench, pictures := seized(t)
	whole := newInstallation(t, pictures)
	whole.run("scan", bench, "--case", "C1", "--exhibit", "bench")
	want := withoutOrder(whole.run("report", "C1", "--format", "jsonl"))
	disk := mountBroken(t, bench)
	for _, reads := range []int64{1, 40, 400} {
		d := newInstallation(t, pictures)
		disk.repair()
		disk.reads.Store(reads)
		var said bytes.Buffer
		c := d.command("scan", disk.at, "--case", "C1", "--exhibit", "bench")
		c.Stdout, c.Stderr = &said, &said
		if err := c.Run(); err == nil || c.ProcessState.ExitCode() < 1 {
			t.Errorf("unplugged after %d reads: %v\n%s", reads, err, said.String())
		}
		if !disk.unplugged.Load() {
			t.Errorf("a scan makes fewer than %d reads", reads)
		}
		if !strings.Contains(said.String(), "input/output error") {
			t.Errorf("unplugged after %d reads, it says\n%s", reads, said.String())
		}
		disk.repair()
		d.run("scan", disk.at, "--case", "C1", "--exhibit", "bench")
		if got := withoutOrder(d.run("report", "C1", "--format", "jsonl")); got != want {
			t.Errorf("unplugged after %d reads and scanned again, the report is\n%s\nwant\n%s", reads, got, want)
		}
	}
}
