package containers

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"semblance"
)

// spareEnd is what may lack at the end of an image without a failure, as long as no file
// lies there: tools round the size of a device down, and table and file system up.
const spareEnd = 1 << 20

// A reach is what says that the device goes on behind the end of its image.
type reach struct {
	what string
	to   int64
}

// reaches keeps what says how far the device goes, if that is behind the end of the image.
func (im *diskImage) reaches(to int64, format string, args ...any) {
	if to > im.dev.Size() {
		im.beyond = append(im.beyond, reach{fmt.Sprintf(format, args...), to})
	}
}

// reachOf returns where a file system would end in a whole image.
func (im *diskImage) reachOf(i fsInfo) int64 {
	var b [48]byte
	if n, _ := im.dev.ReadAt(b[:], i.base); i.kind != "apfs" || n < len(b) || string(b[32:36]) != "NXSB" {
		return i.reach
	}
	// The volumes of a container share its blocks.
	block, blocks := int64(binary.LittleEndian.Uint32(b[36:])), int64(binary.LittleEndian.Uint64(b[40:]))
	if block == 0 || blocks < 0 || blocks > 1<<60/block {
		return i.reach
	}
	return i.base + block*blocks
}

// protects reports whether a table is that which stands in front of a GPT, for programs
// that know none.
func protects(list []volume) bool {
	return slices.ContainsFunc(list, func(v volume) bool { return v.kind == volumeUsed && v.guards() })
}

func (v volume) guards() bool { return strings.Contains(strings.ToLower(v.what), "(0xee)") }

// tableReaches keeps how far a table of volumes goes: to the end of its last volume, and a
// GPT to its own copy.
func (im *diskImage) tableReaches(table string, list []volume) {
	to := int64(0)
	for _, v := range list {
		if v.kind == volumeUsed && !v.guards() { // which may claim all that a number can say
			to = max(to, v.end)
		}
	}
	for _, sector := range []int64{sectorSize, 4096} {
		var h [40]byte
		if n, _ := im.dev.ReadAt(h[:], sector); n < len(h) || string(h[:8]) != "EFI PART" {
			continue
		}
		if last := int64(binary.LittleEndian.Uint64(h[32:])); last > 0 && last < 1<<50 {
			to = max(to, (last+1)*sector)
		}
		break
	}
	im.reaches(to, "the table of volumes (%s)", table)
}

// compareEnds says where the image ends when it ends too early.
func (im *diskImage) compareEnds() {
	if len(im.beyond) == 0 {
		return
	}
	far := false
	text := fmt.Sprintf("the image ends at byte %d", im.dev.Size())
	for i, r := range im.beyond {
		if far = far || r.to-im.dev.Size() >= spareEnd; i < 4 {
			text += fmt.Sprintf(", and %s reaches to byte %d", r.what, r.to)
		}
	}
	if more := len(im.beyond) - 4; more > 0 {
		text += fmt.Sprintf(", and %d more reach behind it", more)
	}
	text += "; what lies behind was not examined"
	im.note("%s", text)
	if far {
		im.lacks = append(im.lacks, text)
	} else {
		im.spare = text
	}
}

// behind returns the first byte of a file that lies behind the end of the image, -1 when
// none does. It remembers that there is such a file.
func (im *diskImage) behind(i fsInfo, m fsMeta, runs []fsRun) int64 {
	size := im.dev.Size()
	for _, run := range runs {
		length := run.blocks * i.block
		if m.plain {
			length = min(length, min(m.size, m.initialized)+m.skip-run.offset*i.block)
		}
		if at := i.base + run.addr*i.block; run.addr >= 0 && length > 0 && at+length > size {
			if im.spare != "" {
				im.lacks, im.spare = append(im.lacks, im.spare), ""
			}
			return max(at, size)
		}
	}
	return -1
}

// end is how the image ends. One that lacks something, or that differs from the digest it
// carries itself, fails: nobody must take it for the whole device.
func (im *diskImage) end() error {
	im.verified()
	if len(im.lacks) == 0 {
		return io.EOF
	}
	const most = 3
	lacks := im.lacks
	if more := len(lacks) - most; more > 0 {
		lacks = append(lacks[:most:most], fmt.Sprintf("and %d more, which the notes tell", more))
	}
	return semblance.Errorf(semblance.MediaDamaged, "not all of the device is in the image as it was acquired: %s", strings.Join(lacks, "; ")).
		WithHint("Copy the image again, all its segments (.E01, .E02, ... or .001, .002, ...) into one folder, and compare them with the originals.")
}
