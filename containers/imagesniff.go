package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"semblance"
)

// isRaw reports whether a file is the plain copy of a disk or a volume: by its table of
// volumes, a boot sector or a superblock; a file that is named as images are is taken for
// one without, since what is in it can be carved.
func isRaw(head []byte, p Part) bool {
	if p.Size < 8<<10 {
		return false
	}
	if isTable(head, p.Size) || isBootSector(head) || isExt(head) {
		return true
	}
	for _, m := range systemMagics {
		if m.read && m.name != "ext" && hasMagic(p, head, 0, m) {
			return true
		}
	}
	return namedImage(p.Name)
}

// namedImage reports whether a name is that of an image.
func namedImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".dd", ".img", ".raw", ".001", ".000", ".ima", ".iso", ".yaffs2":
		return true
	}
	return false
}

// isTable knows the tables of volumes: MBR, GPT, Apple's, BSD's and Sun's.
func isTable(head []byte, size int64) bool {
	if len(head) < 1024 {
		return false
	}
	switch {
	case string(head[512:520]) == "EFI PART", string(head[:2]) == "ER" && string(head[512:514]) == "PM",
		binary.LittleEndian.Uint32(head[512:]) == 0x82564557 && binary.LittleEndian.Uint32(head[512+132:]) == 0x82564557,
		binary.BigEndian.Uint16(head[508:]) == 0xdabe && sunSum(head[:512]) == 0:
		return true
	case head[510] != 0x55 || head[511] != 0xaa:
		return false
	}
	used := 0
	for i := range 4 {
		e := head[446+16*i:]
		if e[0]&0x7f != 0 {
			return false
		}
		if e[4] == 0 {
			continue
		}
		first, count := int64(binary.LittleEndian.Uint32(e[8:])), int64(binary.LittleEndian.Uint32(e[12:]))
		if count == 0 || first == 0 && e[4] != 0xee {
			return false
		}
		if first*sectorSize < size {
			used++
		}
	}
	return used > 0
}

// sunSum is zero for a sound label.
func sunSum(b []byte) (sum uint16) {
	for i := 0; i < len(b); i += 2 {
		sum ^= binary.BigEndian.Uint16(b[i:])
	}
	return sum
}

// isBootSector knows those of FAT, exFAT and NTFS.
func isBootSector(head []byte) bool {
	if len(head) < 512 || head[510] != 0x55 || head[511] != 0xaa {
		return false
	}
	if n := string(head[3:11]); n == "NTFS    " || n == "EXFAT   " {
		return true
	}
	bytesPerSector, perCluster := binary.LittleEndian.Uint16(head[11:]), head[13]
	jump := head[0] == 0xeb && head[2] == 0x90 || head[0] == 0xe9
	return jump && bytesPerSector >= 512 && bytesPerSector <= 4096 && bytesPerSector&(bytesPerSector-1) == 0 &&
		perCluster != 0 && perCluster&(perCluster-1) == 0 && binary.LittleEndian.Uint16(head[14:]) > 0 && head[16] >= 1 && head[16] <= 4 && head[21] >= 0xf0
}

// isExt knows the superblock of ext2, ext3 and ext4 by more than its two bytes, which one
// file in 65,536 has there by chance.
func isExt(head []byte) bool {
	if len(head) < 2048 {
		return false
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(head[1024+at:]) }
	state, errors := binary.LittleEndian.Uint16(head[1024+58:]), binary.LittleEndian.Uint16(head[1024+60:])
	return string(head[1024+56:1024+58]) == "\x53\xef" && u32(0) > 0 && u32(4) > 0 && u32(24) <= 6 && u32(32) > 0 && u32(40) > 0 && u32(76) <= 1 && state <= 15 && errors <= 3
}

// A systemMagic is what a file system, or what encrypts or spans volumes, is known by.
type systemMagic struct {
	offset    int64
	magic     string
	name      string
	read      bool // by The Sleuth Kit
	encrypted bool
}

var systemMagics = []systemMagic{
	{0x438, "\x53\xef", "ext", true, false},
	{0x400, "H+\x00\x04", "HFS+", true, false},
	{0x400, "HX\x00\x05", "HFSX", true, false},
	{32, "NXSB", "APFS", true, false},
	{0x8001, "CD001", "ISO 9660", true, false},
	{8192 + 1372, "\x54\x19\x01\x00", "UFS1", true, false},
	{8192 + 1372, "\x00\x01\x19\x54", "UFS1", true, false},
	{65536 + 1372, "\x19\x01\x54\x19", "UFS2", true, false},
	{65536 + 1372, "\x19\x54\x01\x19", "UFS2", true, false},
	{0, "LUKS\xba\xbe", "LUKS", false, true},
	{3, "-FVE-FS-", "BitLocker", false, true},
	{88, "CS", "Apple CoreStorage", false, true},
	{0, "XFSB", "XFS", false, false},
	{0x10040, "_BHRfS_M", "Btrfs", false, false},
	{1024, "\x10\x20\xf5\xf2", "F2FS", false, false},
	{1024, "\xe2\xe1\xf5\xe0", "EROFS", false, false},
	{3, "ReFS\x00\x00\x00\x00", "ReFS", false, false},
	{0x10034, "ReIsEr", "ReiserFS", false, false},
	{0x8000, "JFS1", "JFS", false, false},
	{0, "hsqs", "SquashFS", false, false},
	{512, "LABELONE", "LVM2", false, false},
	{0, "LABELONE", "LVM2", false, false},
	{4096, "\xfc\x4e\x2b\xa9", "Linux RAID", false, false},
	{4086, "SWAPSPACE2", "Linux swap", false, false},
	{0x8001, "BEA01", "UDF", false, false},
}

func hasMagic(p Part, head []byte, at int64, m systemMagic) bool {
	at += m.offset
	if at+int64(len(m.magic)) <= int64(len(head)) {
		return string(head[at:at+int64(len(m.magic))]) == m.magic
	}
	if at+int64(len(m.magic)) > p.Size {
		return false
	}
	b := make([]byte, len(m.magic))
	n, _ := p.R.ReadAt(b, at)
	return bytes.Equal(b[:n], []byte(m.magic))
}

// foreignSystem names what lies at a place of a device when The Sleuth Kit does not read
// it.
func foreignSystem(dev device, at int64) (name string, encrypted bool) {
	for _, m := range systemMagics {
		if hasMagic(Part{R: dev, Size: dev.Size()}, nil, at, m) {
			if m.read {
				return m.name + ", damaged", false
			}
			return m.name, m.encrypted
		}
	}
	return "", false
}

func openRaw(parts []Part, o Options) (Reader, error) {
	facts := semblance.ContainerFacts{Format: "raw"}
	for _, name := range o.Missing {
		facts.Notes = append(facts.Notes, fmt.Sprintf("the part %s of the image is missing, and a later one lies beside it; what lies in it and behind was not examined", name))
	}
	return openVerified(join(parts), o, facts, nil, slices.Clone(facts.Notes)...)
}
