package containers

import (
	"io"
	"sort"
	"time"

	"semblance"
)

// A fileReader reads a file through The Sleuth Kit, which alone knows how it is kept: in
// its inode, compressed, in a container of volumes.
type fileReader struct {
	r    io.ReaderAt
	at   int64
	size int64
	gone int64 // its first byte behind the end of the image, or -1
}

func (f *fileReader) Read(p []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	const most = 1 << 20
	n, err := f.r.ReadAt(p[:min(int64(len(p)), f.size-f.at, most)], f.at)
	f.at += int64(n)
	switch {
	case n > 0:
		return n, nil
	case f.gone >= 0:
		return 0, readable(io.EOF, f.gone)
	case err == io.EOF || err == nil:
		return 0, semblance.Errorf(semblance.MediaDamaged, "the file breaks off after %d of %d bytes", f.at, f.size)
	}
	return 0, err
}

// A runReader reads a file where it lies. Nothing of the device is read but the file
// itself, so that a bad sector beside it does no harm.
type runReader struct {
	dev         device
	base, block int64
	runs        []fsRun
	m           fsMeta
	at          int64
}

func newRunReader(dev device, i fsInfo, runs []fsRun, m fsMeta) *runReader {
	return &runReader{dev: dev, base: i.base, block: i.block, runs: runs, m: m}
}

func (r *runReader) Read(p []byte) (int, error) {
	if r.at >= r.m.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.m.size-r.at)]
	pos := r.at + r.m.skip
	i := sort.Search(len(r.runs), func(i int) bool { return (r.runs[i].offset+r.runs[i].blocks)*r.block > pos })
	if i == len(r.runs) || r.runs[i].offset*r.block > pos {
		if r.at >= r.m.initialized {
			return r.zeros(p, r.m.size), nil
		}
		return 0, semblance.Errorf(semblance.MediaDamaged, "the file system tells where %d of %d bytes lie, and not where the others do", r.at, r.m.size)
	}
	run := r.runs[i]
	end := (run.offset+run.blocks)*r.block - r.m.skip
	switch {
	case r.at >= r.m.initialized || run.addr < 0:
		return r.zeros(p, end), nil
	case end > r.m.initialized:
		end = r.m.initialized
	}
	p = p[:min(int64(len(p)), end-r.at)]
	at := r.base + run.addr*r.block + pos - run.offset*r.block
	n, err := r.dev.ReadAt(p, at)
	r.at += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, readable(err, at)
}

// zeros gives what was never written.
func (r *runReader) zeros(p []byte, end int64) int {
	p = p[:min(int64(len(p)), end-r.at)]
	clear(p)
	r.at += int64(len(p))
	return len(p)
}

// timeNames are in the order of fsMeta.
var timeNames = [5]string{"modified", "accessed", "changed", "created", "deleted"}

// timeSources say where file systems keep times, by the beginning of their kind.
var timeSources = []struct{ kind, source string }{
	{"ntfs", "NTFS $STANDARD_INFORMATION"}, {"fat", "FAT directory entry"}, {"exfat", "exFAT directory entry"},
	{"ext", "inode"}, {"hfs", "HFS+ catalog"}, {"apfs", "APFS inode"}, {"iso9660", "ISO 9660 directory record"},
	{"ufs", "inode"}, {"yaffs2", "YAFFS2 object header"},
}

func timeSource(kind string) string {
	for _, s := range timeSources {
		if len(kind) >= len(s.kind) && kind[:len(s.kind)] == s.kind {
			if s.source == "inode" {
				return kind + " inode"
			}
			return s.source
		}
	}
	return kind
}

// timesOf puts the times of a file into words. FAT and ISO 9660 keep the time of a clock
// and not of which zone; FAT keeps of accesses only the day.
func timesOf(i *fsInfo, m *fsMeta) (out []semblance.FileTime) {
	source := timeSource(i.kind)
	for k, t := range m.times {
		if t.seconds != 0 || t.nanos != 0 {
			out = append(out, semblance.FileTime{What: timeNames[k], Time: stamp(t, i.zoned), Source: source})
		}
		if k < len(m.nameTimes) && m.nameTimes[k].seconds != 0 {
			out = append(out, semblance.FileTime{What: timeNames[k], Time: stamp(m.nameTimes[k], true), Source: "NTFS $FILE_NAME"})
		}
	}
	return out
}

func stamp(t fsTime, zoned bool) string {
	s := time.Unix(t.seconds, int64(min(t.nanos, 999999999))).UTC()
	if s.Year() < 1 || s.Year() > 9999 {
		s = time.Unix(0, 0).UTC() // no calendar has it
	}
	if zoned {
		return s.Format(time.RFC3339Nano)
	}
	return s.Format("2006-01-02T15:04:05.999999999")
}
