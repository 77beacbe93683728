package media

import (
	"encoding/binary"
	"math"
	"strings"
)

// Bounds on EXIF. Real blocks are under 64 KiB because a JPEG segment is; PNG and
// WebP know no such limit.
const (
	maxEXIF      = 4 << 20
	maxEXIFTags  = 2000 // over all directories
	maxEXIFValue = 64 << 10
	maxThumbnail = 1 << 20
)

// The directories of an EXIF block (CIPA DC-008, 4.6.3).
type exifDir int

const (
	dirImage exifDir = iota
	dirThumbnail
	dirExif
	dirGPS
	dirNote // the maker's note
	dirCount
)

// The tags that are read: those of directories 0 and 1, then EXIF's, then GPS's.
const (
	tagDescription  = 0x010e
	tagMake         = 0x010f
	tagModel        = 0x0110
	tagOrientation  = 0x0112
	tagCompression  = 0x0103
	tagSoftware     = 0x0131
	tagDateTime     = 0x0132
	tagArtist       = 0x013b
	tagHostComputer = 0x013c
	tagThumbOffset  = 0x0201
	tagThumbLength  = 0x0202
	tagXMP          = 0x02bc
	tagCopyright    = 0x8298
	tagIPTC         = 0x83bb
	tagPhotoshop    = 0x8649
	tagExifPointer  = 0x8769
	tagGPSPointer   = 0x8825
	tagXPTitle      = 0x9c9b
	tagXPComment    = 0x9c9c
	tagXPAuthor     = 0x9c9d
	tagXPKeywords   = 0x9c9e
	tagXPSubject    = 0x9c9f
	tagCameraSerial = 0xc62f // DNG's
	tagRawSerial    = 0xfde9 // Adobe's, of raw converters
	tagOriginal     = 0x9003
	tagDigitized    = 0x9004
	tagOffset       = 0x9010
	tagOffsetOrig   = 0x9011
	tagOffsetDigit  = 0x9012
	tagSubSec       = 0x9290
	tagSubSecOrig   = 0x9291
	tagSubSecDigit  = 0x9292
	tagMakerNote    = 0x927c
	tagUserComment  = 0x9286
	tagImageID      = 0xa420
	tagOwner        = 0xa430
	tagBodySerial   = 0xa431
	tagLensMake     = 0xa433
	tagLensModel    = 0xa434
	tagLensSerial   = 0xa435
	tagGPSLatRef    = 0x0001
	tagGPSLat       = 0x0002
	tagGPSLongRef   = 0x0003
	tagGPSLong      = 0x0004
	tagGPSTime      = 0x0007
	tagGPSMethod    = 0x001b
	tagGPSArea      = 0x001c
	tagGPSDate      = 0x001d
)

// exifSizes are the bytes of a value of each type (TIFF 6.0, section 2); 13 is IFD.
var exifSizes = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4}

// An exifValue is a tag's value as it lies in the block.
type exifValue struct {
	order binary.ByteOrder
	kind  uint16
	count int
	at    uint32 // where raw begins in the block, for the maker's note
	raw   []byte
}

// An exifBlock is what was read of a TIFF structure. Values are parts of data: nothing is
// allocated by what a file claims.
type exifBlock struct {
	data   []byte
	order  binary.ByteOrder
	tags   [dirCount]map[uint16]exifValue
	budget int
	seen   map[uint32]bool // directories, by their offset: a block may point back into itself
	faults []string
}

// readEXIFBlock reads a TIFF structure. What is broken is left out and among faults; nil
// is returned for what does not begin as one.
func readEXIFBlock(data []byte) *exifBlock {
	x := &exifBlock{data: data, budget: maxEXIFTags, seen: map[uint32]bool{}}
	switch {
	case len(data) >= 8 && (string(data[:4]) == "II*\x00" || string(data[:4]) == "IIRO" || string(data[:4]) == "IIU\x00"):
		x.order = binary.LittleEndian
	case len(data) >= 8 && string(data[:4]) == "MM\x00*":
		x.order = binary.BigEndian
	default:
		return nil
	}
	next := x.directory(dirImage, data, 0, x.order.Uint32(data[4:]))
	if next != 0 {
		x.directory(dirThumbnail, data, 0, next)
	}
	if at, ok := x.pointer(dirImage, tagExifPointer); ok {
		x.directory(dirExif, data, 0, at)
	}
	if at, ok := x.pointer(dirImage, tagGPSPointer); ok {
		x.directory(dirGPS, data, 0, at)
	}
	x.makerNote()
	return x
}

func (x *exifBlock) fault(text string) {
	if len(x.faults) < 3 {
		x.faults = append(x.faults, text)
	}
}

func (x *exifBlock) pointer(d exifDir, tag uint16) (uint32, bool) {
	v, ok := x.tags[d][tag]
	if !ok {
		return 0, false
	}
	n, ok := v.number()
	return uint32(n), ok && n <= math.MaxUint32
}

// directory reads a directory at an offset of base; start is where base begins in the
// block. It returns the offset of the directory that follows, 0 for none. A tag that
// comes twice keeps its first value.
func (x *exifBlock) directory(d exifDir, base []byte, start uint32, at uint32) (next uint32) {
	if x.seen[start+at] {
		x.fault("a directory points back to one that was read")
		return 0
	}
	x.seen[start+at] = true
	if uint64(at)+2 > uint64(len(base)) {
		x.fault("a directory lies outside of the block")
		return 0
	}
	n := int(x.order.Uint16(base[at:]))
	entries := base[at+2:]
	if x.tags[d] == nil {
		x.tags[d] = make(map[uint16]exifValue, min(n, 64))
	}
	for i := range n {
		if len(entries) < 12*(i+1) {
			x.fault("a directory is cut off")
			return 0
		}
		if x.budget--; x.budget < 0 {
			x.fault("there are more tags than are read")
			return 0
		}
		e := entries[12*i:]
		tag := x.order.Uint16(e)
		v, ok := x.value(base, e)
		if !ok {
			continue
		}
		if _, again := x.tags[d][tag]; !again {
			x.tags[d][tag] = v
		}
	}
	if len(entries) < 12*n+4 {
		return 0
	}
	return x.order.Uint32(entries[12*n:])
}

// value finds the bytes of an entry's value.
func (x *exifBlock) value(base, e []byte) (exifValue, bool) {
	v := exifValue{order: x.order, kind: x.order.Uint16(e[2:])}
	count := uint64(x.order.Uint32(e[4:]))
	if int(v.kind) >= len(exifSizes) || v.kind == 0 {
		x.fault("a tag has a type that does not exist")
		return v, false
	}
	size := count * exifSizes[v.kind] // at most 2^35
	if size <= 4 {
		v.raw, v.count = e[8:8+size], int(count)
		return v, true
	}
	at := uint64(x.order.Uint32(e[8:]))
	if at+size > uint64(len(base)) {
		x.fault("the value of a tag lies outside of the block")
		return v, false
	}
	v.raw, v.count, v.at = base[at:at+size], int(count), uint32(at)
	return v, true
}

// number is a value that is a whole number.
func (v exifValue) number() (uint64, bool) {
	switch {
	case v.count < 1:
		return 0, false
	case v.kind == 1 || v.kind == 6 || v.kind == 7:
		return uint64(v.raw[0]), true
	case v.kind == 3:
		return uint64(v.order.Uint16(v.raw)), true
	case v.kind == 4 || v.kind == 13:
		return uint64(v.order.Uint32(v.raw)), true
	}
	return 0, false
}

// rationals are the values of a tag of unsigned or signed fractions, nil when one of them
// is no number.
func (v exifValue) rationals() (out []float64) {
	if v.kind != 5 && v.kind != 10 || v.count > 16 {
		return nil
	}
	for i := range v.count {
		a, b := v.order.Uint32(v.raw[8*i:]), v.order.Uint32(v.raw[8*i+4:])
		n, d := float64(a), float64(b)
		if v.kind == 10 {
			n, d = float64(int32(a)), float64(int32(b))
		}
		if d == 0 {
			return nil
		}
		out = append(out, n/d)
	}
	return out
}

// text is a value as text: of bytes and letters as they are, of numbers in decimals.
func (v exifValue) text() string {
	if len(v.raw) > maxEXIFValue {
		v.raw = v.raw[:maxEXIFValue]
	}
	switch v.kind {
	case 1, 2, 6, 7:
		return text(v.raw)
	}
	if n, ok := v.number(); ok {
		return text([]byte(decimal(n)))
	}
	return ""
}

// text is the text of a tag of a directory, "" when there is none.
func (x *exifBlock) text(d exifDir, tag uint16) string { return x.tags[d][tag].text() }

// comment is a UserComment and its kin, which begin with the name of their encoding
// (CIPA DC-008, 4.6.5).
func (x *exifBlock) comment(d exifDir, tag uint16) string {
	v := x.tags[d][tag]
	raw := v.raw[:min(len(v.raw), maxEXIFValue)]
	if len(raw) < 8 {
		return text(raw)
	}
	switch head, body := string(raw[:8]), raw[8:]; head {
	case "UNICODE\x00":
		return text(utf16Text(body, x.order))
	case "ASCII\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00":
		return text(body)
	case "JIS\x00\x00\x00\x00\x00":
		return "" // no tables for it
	}
	return text(raw)
}

// wide is one of Windows' tags: UTF-16, always little endian.
func (x *exifBlock) wide(tag uint16) string {
	v := x.tags[dirImage][tag]
	return text(utf16Text(v.raw[:min(len(v.raw), maxEXIFValue)], binary.LittleEndian))
}

// thumbnail is the JPEG of the thumbnail's directory, nil when there is none.
func (x *exifBlock) thumbnail() []byte {
	at, ok := x.pointer(dirThumbnail, tagThumbOffset)
	size, hasSize := x.pointer(dirThumbnail, tagThumbLength)
	switch {
	case !ok || !hasSize || size == 0:
		if len(x.tags[dirThumbnail]) > 0 && x.tags[dirThumbnail][tagCompression].raw != nil && !ok {
			if n, _ := x.tags[dirThumbnail][tagCompression].number(); n == 1 {
				x.fault("its thumbnail is not compressed, which is not read")
			}
		}
		return nil
	case uint64(at)+uint64(size) > uint64(len(x.data)):
		x.fault("its thumbnail lies outside of the block")
		if uint64(at) >= uint64(len(x.data)) {
			return nil
		}
		size = uint32(uint64(len(x.data)) - uint64(at)) // what is there of it
	}
	if size > maxThumbnail {
		x.fault("its thumbnail is larger than is read")
		return nil
	}
	return x.data[at : at+size]
}

// A makerNote begins with a word, and has a directory of the same form.
var makerNotes = []struct {
	make, head string
	at         int  // of the directory in the note, or of a TIFF header
	header     bool // there is one
	own        bool // offsets are from the note's beginning, or the header's, and not from the block's
	order      binary.ByteOrder
	tags       map[uint16]string // that are kept, and as what
}{
	{"APPLE", "Apple iOS\x00", 14, false, true, binary.BigEndian, map[uint16]string{0x000b: "BurstUUID", 0x0011: "ContentIdentifier", 0x0015: "ImageUniqueID", 0x002b: "PhotoIdentifier"}},
	{"NIKON", "Nikon\x00\x02", 10, true, true, nil, map[uint16]string{0x001d: "SerialNumber"}},
	{"FUJIFILM", "FUJIFILM", 8, false, true, binary.LittleEndian, map[uint16]string{0x0010: "InternalSerialNumber"}},
	{"PANASONIC", "Panasonic\x00\x00\x00", 12, false, false, nil, map[uint16]string{0x0025: "InternalSerialNumber"}},
	{"CANON", "", 0, false, false, nil, map[uint16]string{0x000c: "SerialNumber", 0x0009: "OwnerName", 0x0096: "InternalSerialNumber"}},
}

// makerNote reads the few values of a maker's note that tell one camera or one photograph
// from another. Their places are as ExifTool documents them; notes of other makers, and
// those that are encrypted, are not read.
func (x *exifBlock) makerNote() {
	v, ok := x.tags[dirExif][tagMakerNote]
	if !ok || len(v.raw) < 16 {
		return
	}
	maker := strings.ToUpper(x.text(dirImage, tagMake))
	for _, n := range makerNotes {
		if !strings.HasPrefix(maker, n.make) || !strings.HasPrefix(string(v.raw), n.head) {
			continue
		}
		faults, order := x.faults, x.order
		x.note(v, n.at, n.header, n.own, n.order)
		x.faults, x.order = faults, order // what a maker does in its own note is no damage
		kept := map[uint16]exifValue{}
		for tag := range n.tags {
			if value, ok := x.tags[dirNote][tag]; ok {
				kept[tag] = value
			}
		}
		x.tags[dirNote] = kept
		return
	}
}

func (x *exifBlock) note(v exifValue, at int, header, own bool, order binary.ByteOrder) {
	if order != nil {
		x.order = order
	}
	switch {
	case header:
		if len(v.raw) < at+8 {
			return
		}
		if x.order = binary.ByteOrder(binary.BigEndian); v.raw[at] == 'I' {
			x.order = binary.LittleEndian
		}
		x.directory(dirNote, v.raw[at:], v.at+uint32(at), x.order.Uint32(v.raw[at+4:]))
	case own && string(v.raw[:8]) == "FUJIFILM":
		x.directory(dirNote, v.raw, v.at, x.order.Uint32(v.raw[8:]))
	case own:
		x.directory(dirNote, v.raw, v.at, uint32(at))
	default:
		x.directory(dirNote, x.data, 0, v.at+uint32(at))
	}
}

// noteTexts are what was kept of the maker's note, as "Apple:ContentIdentifier".
func (x *exifBlock) noteTexts(do func(maker, name, value string)) {
	maker := strings.ToUpper(x.text(dirImage, tagMake))
	for _, n := range makerNotes {
		if !strings.HasPrefix(maker, n.make) {
			continue
		}
		for _, tag := range []uint16{0x0009, 0x000b, 0x000c, 0x0010, 0x0011, 0x0015, 0x001d, 0x0025, 0x002b, 0x0096} {
			if name := n.tags[tag]; name != "" {
				if s := x.text(dirNote, tag); s != "" {
					do(n.make[:1]+strings.ToLower(n.make[1:]), name, s)
				}
			}
		}
		return
	}
}
