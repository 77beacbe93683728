package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zlib"

	"semblance"
)

// A virtualDisk is a device of which only the blocks that were written are kept: VHD and
// VMDK.
type virtualDisk struct {
	part  Part
	size  int64
	block int64
	// find returns where a block lies in the part, -1 when it was never written, and how
	// many blocks from this one on are surely like that.
	find func(number int64) (at, empty int64, err error)
	// packed are blocks of which each is compressed and follows a header.
	packed bool
	last   int64 // the block in unpacked
	buf    []byte
}

// Size returns the size of the device.
func (d *virtualDisk) Size() int64 { return d.size }

// ReadAt reads blocks.
func (d *virtualDisk) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= d.size || at < 0 {
			return n, io.EOF
		}
		number, in := at/d.block, at%d.block
		want := p[n : n+int(min(int64(len(p)-n), d.block-in, d.size-at))]
		begin, _, err := d.find(number)
		if err != nil {
			return n, err
		}
		switch {
		case begin < 0:
			clear(want)
		case d.packed:
			if err = d.unpack(number, begin); err == nil {
				clear(want)
				copy(want, d.buf[min(in, int64(len(d.buf))):])
			}
		default:
			_, err = io.ReadFull(io.NewSectionReader(d.part.R, begin+in, int64(len(want))), want)
		}
		if err != nil {
			return n, semblance.Errorf(semblance.MediaDamaged, "the image %s is damaged or cut short: bytes %d to %d of the device cannot be read", d.part.Name, number*d.block, min((number+1)*d.block, d.size)).WithCause(err)
		}
		n += len(want)
	}
	return n, nil
}

// unpack reads a compressed grain of a VMDK: its sector, its length, zlib.
func (d *virtualDisk) unpack(number, at int64) error {
	if d.buf != nil && d.last == number {
		return nil
	}
	var h [12]byte
	if _, err := d.part.R.ReadAt(h[:], at); err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(h[8:]))
	if length > 2*d.block+1024 {
		return fmt.Errorf("a grain of %d compressed bytes", length)
	}
	z, err := zlib.NewReader(io.NewSectionReader(d.part.R, at+12, length))
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(z, d.block))
	if err != nil {
		return err
	}
	d.buf, d.last = b, number
	return nil
}

// Data skips what was never written.
func (d *virtualDisk) Data(from int64) (start, end int64) {
	number := from / d.block
	for steps := 0; number*d.block < d.size && steps < 1<<20; steps++ {
		at, empty, err := d.find(number)
		if err != nil || at >= 0 {
			break
		}
		number += max(empty, 1)
	}
	start = min(max(from, number*d.block), d.size)
	return start, min((start/d.block+1)*d.block, d.size)
}

// A table32 is a table of 32-bit numbers in a file, of which a stretch is kept.
type table32 struct {
	r     io.ReaderAt
	at    int64
	order binary.ByteOrder
	begin int64
	kept  []byte
}

// entry returns the number at an index.
func (t *table32) entry(i int64) (uint32, error) {
	const stretch = 16 << 10
	if t.kept == nil || i < t.begin || i >= t.begin+int64(len(t.kept)/4) {
		begin := i / stretch * stretch
		b := make([]byte, 4*stretch)
		n, err := t.r.ReadAt(b, t.at+4*begin)
		if int64(n) < 4*(i-begin+1) {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
		t.begin, t.kept = begin, b[:n/4*4]
	}
	return t.order.Uint32(t.kept[4*(i-t.begin):]), nil
}

// VHD (Microsoft, "Virtual Hard Disk Image Format Specification", 1.0). A fixed one is the
// plain device and a footer; of a dynamic one the footer also stands in front.
const vhdMagic = "conectix"

func isVHD(head []byte, p Part) bool {
	if strings.HasPrefix(string(head), vhdMagic) {
		return true
	}
	ext := strings.ToLower(path.Ext(p.Name))
	return (ext == ".vhd" || ext == ".avhd") && vhdFooter(p) != nil
}

// vhdFooter returns the last sector when it is one.
func vhdFooter(p Part) []byte {
	b := make([]byte, sectorSize)
	if n, _ := p.R.ReadAt(b, p.Size-sectorSize); p.Size < sectorSize || n < len(b) || string(b[:8]) != vhdMagic {
		return nil
	}
	return b
}

func openVHD(parts []Part, o Options) (Reader, error) {
	facts := semblance.ContainerFacts{Format: "vhd"}
	d, whole, err := vhdDevice(parts[0])
	if err != nil {
		return nil, err
	}
	if !whole {
		facts.Notes = append(facts.Notes, "the image is cut short: its footer is missing, and its copy was used")
	}
	return openVerified(d, o, facts, nil, slices.Clone(facts.Notes)...)
}

// vhdDevice opens one; whole is false when its footer is missing.
func vhdDevice(p Part) (d device, whole bool, err error) {
	f := vhdFooter(p)
	if whole = f != nil; !whole {
		f = make([]byte, sectorSize)
		if _, err := p.R.ReadAt(f, 0); err != nil || string(f[:8]) != vhdMagic {
			return nil, false, semblance.Errorf(semblance.MediaDamaged, "the footer of the VHD image is missing")
		}
	}
	size := int64(binary.BigEndian.Uint64(f[48:]))
	switch kind := binary.BigEndian.Uint32(f[60:]); {
	case size <= 0 || size > 1<<50:
		return nil, whole, semblance.Errorf(semblance.MediaDamaged, "the footer of the VHD image gives a size of %d bytes", size)
	case kind == 2:
		p.Size = max(min(size, p.Size-sectorSize), 0)
		return join([]Part{p}), whole, nil
	case kind == 3:
		d, err = newVHD(p, size, int64(binary.BigEndian.Uint64(f[16:])))
		return d, whole, err
	case kind == 4:
		return nil, whole, semblance.Errorf(semblance.MediaUnsupported, "the VHD image holds only what differs from another one").WithHint("Merge it with its parent (qemu-img convert), and scan that.")
	}
	return nil, whole, semblance.Errorf(semblance.MediaUnsupported, "the VHD image is of a kind that is not read")
}

func newVHD(p Part, size, header int64) (device, error) {
	h := make([]byte, 1024)
	if _, err := p.R.ReadAt(h, header); err != nil || string(h[:8]) != "cxsparse" {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the header of the VHD image is missing or damaged")
	}
	entries, block := int64(binary.BigEndian.Uint32(h[28:])), int64(binary.BigEndian.Uint32(h[32:]))
	if block < sectorSize || block > 1<<30 || block%sectorSize != 0 || entries*block < size {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the header of the VHD image says that %d blocks of %d bytes are a device of %d", entries, block, size)
	}
	bitmap := (block/sectorSize/8 + sectorSize - 1) / sectorSize * sectorSize
	t := &table32{r: p.R, at: int64(binary.BigEndian.Uint64(h[16:])), order: binary.BigEndian}
	return &virtualDisk{part: p, size: size, block: block, find: func(n int64) (int64, int64, error) {
		v, err := t.entry(n)
		if err != nil || v == 1<<32-1 {
			return -1, 1, err
		}
		return int64(v)*sectorSize + bitmap, 0, nil
	}}, nil
}

// VMDK (VMware, "Virtual Disk Format 5.0"): a description, alone or inside the first
// extent, and extents that are plain, or tables of grains.
const (
	vmdkMagic      = "KDMV"
	vmdkDescriptor = "# Disk DescriptorFile"
)

func isVMDK(head []byte, p Part) bool {
	return strings.HasPrefix(string(head), vmdkMagic) && len(head) >= sectorSize || strings.HasPrefix(string(head), vmdkDescriptor) && p.Size < 1<<20
}

// extents are lines of a description: RW 16384 SPARSE "disk-s001.vmdk", with an offset for
// FLAT.
var extents = regexp.MustCompile(`(?m)^\s*(?:RW|RDONLY)\s+(\d{1,15})\s+(FLAT|SPARSE|ZERO|VMFS|VMFSSPARSE)(?:\s+"([^"]*)"(?:\s+(\d{1,15}))?)?`)

// anotherParent is in the description of a snapshot.
var anotherParent = regexp.MustCompile(`(?i)parentCID=(?:[0-9a-f]{0,7}[0-9a-e][0-9a-f]{0,7}|[0-9a-f]{1,7})\b`)

func openVMDK(parts []Part, o Options) (Reader, error) {
	d, err := vmdkDevice(parts)
	if err != nil {
		return nil, err
	}
	return openVerified(d, o, semblance.ContainerFacts{Format: "vmdk"}, nil)
}

func vmdkDevice(parts []Part) (device, error) {
	description, err := vmdkDescription(parts[0])
	if err != nil {
		return nil, err
	}
	if anotherParent.MatchString(description) {
		return nil, semblance.Errorf(semblance.MediaUnsupported, "the VMDK image holds only what differs from another one (a snapshot)").WithHint("Merge it with its parent (qemu-img convert), and scan that.")
	}
	list := extents.FindAllStringSubmatch(description, 10_000)
	if len(list) <= 1 && hasGrains(parts[0]) {
		return newGrains(parts[0])
	}
	return newExtents(parts, list)
}

func hasGrains(p Part) bool {
	b := make([]byte, 4)
	p.R.ReadAt(b, 0)
	return string(b) == vmdkMagic
}

// vmdkDescription reads the text, which stands alone or in the first extent.
func vmdkDescription(p Part) (string, error) {
	at, length := int64(0), min(p.Size, 1<<20)
	if hasGrains(p) {
		var h [sectorSize]byte
		if _, err := p.R.ReadAt(h[:], 0); err != nil {
			return "", readable(err, 0)
		}
		at, length = int64(binary.LittleEndian.Uint64(h[28:])), min(int64(binary.LittleEndian.Uint64(h[36:])), 2048)
		if at <= 0 || at > p.Size/sectorSize || length <= 0 {
			return "", nil // an extent of several
		}
		at, length = at*sectorSize, length*sectorSize
	}
	b := make([]byte, length)
	n, err := p.R.ReadAt(b, at)
	if err != nil && err != io.EOF {
		return "", readable(err, at)
	}
	return string(bytes.TrimRight(b[:n], "\x00")), nil
}

// newGrains opens an extent that is a table of grains.
func newGrains(p Part) (device, error) {
	bad := semblance.Errorf(semblance.MediaDamaged, "the header of the VMDK image %s is damaged", p.Name)
	h := make([]byte, sectorSize)
	if _, err := p.R.ReadAt(h, 0); err != nil {
		return nil, bad
	}
	u64 := func(at int) int64 { return int64(binary.LittleEndian.Uint64(h[at:])) }
	if u64(56) == -1 { // written in one go: the footer has it
		if _, err := p.R.ReadAt(h, p.Size-2*sectorSize); err != nil || string(h[:4]) != vmdkMagic {
			return nil, bad
		}
	}
	capacity, grain, perTable, directory := u64(12), u64(20), int64(binary.LittleEndian.Uint32(h[44:])), u64(56)
	if capacity <= 0 || capacity > 1<<41 || grain <= 0 || grain > 1<<16 || perTable <= 0 || perTable > 1<<16 || directory <= 0 || directory > p.Size/sectorSize {
		return nil, bad
	}
	flags := binary.LittleEndian.Uint32(h[8:])
	d := &virtualDisk{part: p, size: capacity * sectorSize, block: grain * sectorSize, packed: flags&(1<<16) != 0}
	top := &table32{r: p.R, at: directory * sectorSize, order: binary.LittleEndian}
	tables := map[int64]*table32{}
	d.find = func(n int64) (int64, int64, error) {
		v, err := top.entry(n / perTable)
		if err != nil || v == 0 {
			return -1, perTable - n%perTable, err
		}
		t := tables[int64(v)]
		if t == nil {
			if len(tables) > 64 {
				clear(tables)
			}
			t = &table32{r: io.NewSectionReader(p.R, int64(v)*sectorSize, 4*perTable), order: binary.LittleEndian}
			tables[int64(v)] = t
		}
		if v, err = t.entry(n % perTable); err != nil || v <= 1 { // 1: zeros, by a flag
			return -1, 1, err
		}
		return int64(v) * sectorSize, 0, nil
	}
	return d, nil
}

// newExtents joins the extents that a description names.
func newExtents(parts []Part, list [][]string) (device, error) {
	if len(list) == 0 {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the VMDK image does not say where its content lies")
	}
	named := map[string]Part{}
	for _, p := range parts {
		named[p.Name] = p
	}
	c := &concatenated{}
	var missing []string
	for _, x := range list {
		sectors, _ := strconv.ParseInt(x[1], 10, 64)
		offset, _ := strconv.ParseInt("0"+x[4], 10, 64)
		size := sectors * sectorSize
		p, ok := named[path.Base(strings.ReplaceAll(x[3], "\\", "/"))]
		switch {
		case size <= 0 || size > 1<<50:
			return nil, semblance.Errorf(semblance.MediaDamaged, "the VMDK image has an extent of %d sectors", sectors)
		case x[2] == "ZERO":
			c.add(&virtualDisk{size: size, block: size, find: func(int64) (int64, int64, error) { return -1, 1, nil }}, size)
		case !ok:
			missing = append(missing, x[3])
		case hasGrains(p):
			d, err := newGrains(p)
			if err != nil {
				return nil, err
			}
			c.add(d, size)
		default:
			p.R, p.Size = io.NewSectionReader(p.R, offset*sectorSize, size), min(size, max(p.Size-offset*sectorSize, 0))
			c.add(join([]Part{p}), size)
		}
	}
	if len(missing) > 0 {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the disk lies in other files, and %d of them are missing (%s)", len(missing), strings.Join(missing[:min(len(missing), 5)], ", ")).
			WithHint("Copy all files of the disk into one folder.")
	}
	return c, nil
}

// A concatenated is devices one behind the other.
type concatenated struct {
	list []device
	ends []int64
}

func (c *concatenated) add(d device, size int64) {
	c.list, c.ends = append(c.list, d), append(c.ends, c.Size()+size)
}

// Size returns the size of all.
func (c *concatenated) Size() int64 {
	if len(c.ends) == 0 {
		return 0
	}
	return c.ends[len(c.ends)-1]
}

// ReadAt reads across their borders.
func (c *concatenated) ReadAt(p []byte, off int64) (n int, err error) {
	begin := int64(0)
	for i, end := range c.ends {
		for at := off + int64(n); n < len(p) && at >= begin && at < end; at = off + int64(n) {
			got, err := c.list[i].ReadAt(p[n:n+int(min(int64(len(p)-n), end-at))], at-begin)
			if n += got; err != nil || got == 0 {
				return n, err
			}
		}
		begin = end
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Data skips what they skip.
func (c *concatenated) Data(from int64) (start, end int64) {
	begin := int64(0)
	for i, last := range c.ends {
		if from < last {
			if s, e := c.list[i].Data(max(from-begin, 0)); begin+s < last {
				return begin + s, min(begin+e, last)
			}
			from = last
		}
		begin = last
	}
	return c.Size(), c.Size()
}

// foreignImages are kinds of images that are told and not read.
var foreignImages = []struct {
	magic string
	at    int
	name  string
}{
	{"EVF2\r\n\x81\x00", 0, "EnCase 7 image (.Ex01)"}, {"LVF\x09\x0d\x0a\xff\x00", 0, "EnCase logical evidence file (.L01)"}, {"LEF2\r\n\x81\x00", 0, "EnCase 7 logical evidence file (.Lx01)"},
	{"ADSEGMENTEDFILE", 0, "AccessData image (.AD1)"}, {"AFF10\r\n\x00", 0, "AFF image"}, {"vhdxfile", 0, "VHDX image"}, {"QFI\xfb", 0, "QCOW2 image"},
	{"\x7f\x10\xda\xbe", 64, "VirtualBox image (.vdi)"}, {"COWD", 0, "VMware ESX image"}, {"\x3a\xff\x26\xed", 0, "Android sparse image"},
}

func foreignImage(head []byte, p Part) string {
	for _, f := range foreignImages {
		if len(head) >= f.at+len(f.magic) && string(head[f.at:f.at+len(f.magic)]) == f.magic {
			return f.name
		}
	}
	if strings.EqualFold(path.Ext(p.Name), ".dmg") && p.Size > sectorSize {
		var b [4]byte
		if n, _ := p.R.ReadAt(b[:], p.Size-sectorSize); n == len(b) && string(b[:]) == "koly" {
			return "Apple disk image (.dmg)"
		}
	}
	return ""
}

func isForeignImage(head []byte, p Part) bool { return foreignImage(head, p) != "" }

func openForeignImage(parts []Part, _ Options) (Reader, error) {
	head := make([]byte, min(headLen, parts[0].Size))
	n, _ := parts[0].R.ReadAt(head, 0)
	return nil, semblance.Errorf(semblance.MediaUnsupported, "this kind of disk image is not read: %s", foreignImage(head[:n], parts[0])).
		WithHint("Convert it to a raw image or to E01 with a forensic tool or qemu-img, and scan that.")
}
