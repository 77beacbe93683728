package containers

import (
	"math"
	"math/bits"

	"semblance"
)

// A sevenFolder is data that are unpacked together, by one or more coders.
type sevenFolder struct {
	coders  []sevenCoder
	bonds   map[int]int // from an input to the output that feeds it
	packed  map[int]int // from an input to the packed stream that feeds it; nil: the only one
	inputs  int         // how many packed streams
	streams []span      // the packed streams, in the file
	sizes   []int64     // of the outputs
	main    int         // the output that is the result
	crc     uint32
	hasCRC  bool
	files   int // how many lie in it
}

// A sevenCoder is a method with its inputs and outputs, numbered through the folder.
type sevenCoder struct {
	id      uint64
	props   []byte
	in, out int // the first of each
	ins     int
}

func (f *sevenFolder) size() int64 { return f.sizes[f.main] }

func (f *sevenFolder) encrypted() bool {
	for _, c := range f.coders {
		if c.id == sevenAES {
			return true
		}
	}
	return false
}

// tells reports whether wrongly decrypted data cannot be unpacked: some method would see.
func (f *sevenFolder) tells() bool {
	for _, c := range f.coders {
		if c.id == sevenLZMA || c.id == sevenLZMA2 || c.id == sevenBzip2 {
			return true
		}
	}
	return false
}

// maxSevenFiles bounds files and folders: a packed directory of a few kilobytes can state
// any number of them.
const maxSevenFiles = 2 << 20

// A sevenParser reads the directory. After an error it reads zeros.
type sevenParser struct {
	b   []byte
	err error
}

func (p *sevenParser) fail() {
	if p.err == nil {
		p.err = damaged("the directory of the 7z archive is damaged")
	}
	p.b = nil
}

func (p *sevenParser) byte() byte {
	if len(p.b) == 0 {
		p.fail()
		return 0
	}
	b := p.b[0]
	p.b = p.b[1:]
	return b
}

func (p *sevenParser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.fail()
		return nil
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

func (p *sevenParser) uint32() uint32 {
	if b := p.take(4); b != nil {
		return le.Uint32(b)
	}
	return 0
}

// number reads 7z's number: the leading ones of the first byte say how many follow.
func (p *sevenParser) number() uint64 {
	first := p.byte()
	n := bits.LeadingZeros8(^first)
	var v uint64
	for i, b := range p.take(uint64(n)) {
		v |= uint64(b) << (8 * i)
	}
	if n < 7 {
		v |= uint64(first&(1<<(7-n)-1)) << (8 * n)
	}
	return v
}

// count reads a number of things that each take at least a bit of what is left.
func (p *sevenParser) count() int {
	n := p.number()
	switch {
	case n > 8*uint64(len(p.b))+8:
		p.fail()
		return 0
	case n > maxSevenFiles:
		if p.b = nil; p.err == nil {
			p.err = semblance.Errorf(semblance.MediaTooLarge, "the directory of the 7z archive has more than %d entries; no more are read", maxSevenFiles).
				WithHint("Unpack it on a machine of its own and scan the folder.")
		}
		return 0
	}
	return int(n)
}

func (p *sevenParser) length() int64 {
	n := p.number()
	if n > math.MaxInt64 {
		p.fail()
		return 0
	}
	return int64(n)
}

// bits reads a vector; with all, a byte before it may say that all are set.
func (p *sevenParser) bits(n int, all bool) []bool {
	v := make([]bool, n)
	if all && p.byte() != 0 {
		for i := range v {
			v[i] = true
		}
		return v
	}
	b := p.take(uint64(n+7) / 8)
	for i := range v {
		v[i] = b != nil && b[i/8]&(0x80>>(i%8)) != 0
	}
	return v
}

// digests reads checksums; those that are not stated are not set.
func (p *sevenParser) digests(n int, set func(i int, crc uint32)) {
	for i, has := range p.bits(n, true) {
		if has && p.err == nil {
			set(i, p.uint32())
		}
	}
}

// sevenStreams are packed streams and what they unpack to.
type sevenStreams struct {
	packed  []span
	folders []sevenFolder
	sizes   [][]int64 // of the files in each folder
	crcs    [][]sevenCRC
}

type sevenCRC struct {
	crc uint32
	has bool
}

func (p *sevenParser) streams() (s sevenStreams, err error) {
	for {
		switch id := p.byte(); id {
		case 0:
			s.single()
			return s, p.err
		case 6:
			p.packInfo(&s)
		case 7:
			p.folders(&s)
		case 8:
			p.subStreams(&s)
		default:
			p.fail()
		}
		if p.err != nil {
			return s, p.err
		}
	}
}

// single gives folders their one file where nothing else is stated.
func (s *sevenStreams) single() {
	if s.sizes != nil {
		return
	}
	for i := range s.folders {
		f := &s.folders[i]
		f.files = 1
		s.sizes = append(s.sizes, []int64{f.size()})
		s.crcs = append(s.crcs, []sevenCRC{{f.crc, f.hasCRC}})
	}
}

func (p *sevenParser) packInfo(s *sevenStreams) {
	at := p.length() + 32
	n := p.count()
	for {
		switch p.byte() {
		case 0:
			return
		case 9:
			for range n {
				size := p.length()
				if at < 0 || size > math.MaxInt64-at {
					p.fail()
					return
				}
				s.packed = append(s.packed, span{at, at + size})
				if at += size; p.err != nil {
					return
				}
			}
		case 10:
			p.digests(n, func(int, uint32) {})
		default:
			p.fail()
		}
		if p.err != nil {
			return
		}
	}
}

func (p *sevenParser) folders(s *sevenStreams) {
	if p.byte() != 11 {
		p.fail()
	}
	n := p.count()
	if p.byte() != 0 { // in another stream: nobody writes that
		p.fail()
	}
	packed := s.packed
	for range n {
		f := p.folder()
		if p.err != nil || f.inputs < 0 || f.inputs > len(packed) {
			p.fail()
			return
		}
		f.streams, packed = packed[:f.inputs], packed[f.inputs:]
		s.folders = append(s.folders, f)
	}
	if p.byte() != 12 {
		p.fail()
	}
	for i := range s.folders {
		for k := range s.folders[i].sizes {
			s.folders[i].sizes[k] = p.length()
		}
		if p.err != nil {
			return
		}
	}
	switch p.byte() {
	case 0:
		return
	case 10:
		p.digests(n, func(i int, crc uint32) { s.folders[i].crc, s.folders[i].hasCRC = crc, true })
	}
	if p.byte() != 0 {
		p.fail()
	}
}

// folder reads how a folder's coders are joined.
func (p *sevenParser) folder() (f sevenFolder) {
	const most = 32 // coders and streams, as in 7-Zip
	n := p.count()
	if n == 0 || n > most {
		p.fail()
		return f
	}
	ins, outs := 0, 0
	for range n {
		flags := p.byte()
		c := sevenCoder{in: ins, out: outs, ins: 1}
		for _, b := range p.take(uint64(flags & 15)) {
			c.id = c.id<<8 | uint64(b)
		}
		o := 1
		if flags&0x10 != 0 {
			c.ins, o = p.count(), p.count()
		}
		if flags&0x20 != 0 {
			c.props = p.take(p.number())
		}
		if ins, outs = ins+c.ins, outs+o; p.err != nil || o != 1 || ins > most || flags&0xc0 != 0 {
			p.fail()
			return f
		}
		f.coders = append(f.coders, c)
	}
	f.sizes = make([]int64, outs)
	if n == 1 && ins == 1 { // nearly all: no maps for a million of them
		f.inputs = 1
		return f
	}
	f.bonds, f.packed = map[int]int{}, map[int]int{}
	used := map[int]bool{}
	for range outs - 1 {
		in, out := p.count(), p.count()
		f.bonds[in] = out
		used[out] = true
	}
	rest := ins - (outs - 1)
	for i := range rest {
		in := 0
		if rest > 1 {
			in = p.count()
		} else {
			for _, bound := f.bonds[in]; bound; _, bound = f.bonds[in] {
				in++
			}
		}
		f.packed[in] = i
	}
	for f.main = 0; used[f.main]; f.main++ {
	}
	f.inputs = rest
	if f.main >= outs || len(f.bonds) != outs-1 || len(f.packed) != max(rest, 0) {
		p.fail()
	}
	return f
}

func (p *sevenParser) subStreams(s *sevenStreams) {
	for i := range s.folders {
		s.folders[i].files = 1
	}
	id := p.byte()
	if id == 13 {
		for i := range s.folders {
			s.folders[i].files = p.count()
		}
		id = p.byte()
	}
	unknown := 0
	for i := range s.folders {
		f := &s.folders[i]
		var sizes []int64
		left := f.size()
		for k := range f.files {
			size := left
			if k < f.files-1 && id == 9 {
				size = p.length()
			}
			if size > left || p.err != nil {
				p.fail()
				return
			}
			left -= size
			sizes = append(sizes, size)
		}
		crcs := make([]sevenCRC, f.files)
		if f.files == 1 && f.hasCRC {
			crcs[0] = sevenCRC{f.crc, true}
		} else {
			unknown += f.files
		}
		s.sizes, s.crcs = append(s.sizes, sizes), append(s.crcs, crcs)
	}
	if id == 9 {
		id = p.byte()
	}
	if id == 10 {
		p.subDigests(s, unknown)
		id = p.byte()
	}
	if id != 0 {
		p.fail()
	}
}

// subDigests reads the checksums of files whose folder's is not theirs.
func (p *sevenParser) subDigests(s *sevenStreams, n int) {
	var open []*sevenCRC
	for i := range s.crcs {
		for k := range s.crcs[i] {
			if c := &s.crcs[i][k]; !c.has {
				open = append(open, c)
			}
		}
	}
	if len(open) != n {
		p.fail()
		return
	}
	p.digests(n, func(i int, crc uint32) { *open[i] = sevenCRC{crc, true} })
}

// parse reads the directory proper.
func (s *sevenReader) parse(p *sevenParser) error {
	var streams sevenStreams
	for {
		switch p.byte() {
		case 0:
			return p.err
		case 2:
			p.properties(func(byte, *sevenParser) {})
		case 3:
			if _, err := p.streams(); err != nil {
				return err
			}
		case 4:
			var err error
			if streams, err = p.streams(); err != nil {
				return err
			}
			s.folders = streams.folders
		case 5:
			s.parseFiles(p, &streams)
		default:
			p.fail()
		}
		if p.err != nil {
			return p.err
		}
	}
}

// properties reads a list of properties with their sizes.
func (p *sevenParser) properties(each func(id byte, p *sevenParser)) {
	for p.err == nil {
		id := p.byte()
		if id == 0 {
			return
		}
		q := &sevenParser{b: p.take(p.number())}
		if each(id, q); q.err != nil {
			p.fail()
		}
	}
}

func (s *sevenReader) parseFiles(p *sevenParser, streams *sevenStreams) {
	n := p.count()
	if n > len(p.b) { // each has a name
		p.fail()
		return
	}
	s.files = make([]sevenFile, n)
	for i := range s.files {
		s.files[i].folder = -1
	}
	var empty []int
	p.properties(func(id byte, q *sevenParser) {
		switch id {
		case 0x0e:
			for i, e := range q.bits(n, false) {
				if s.files[i].empty = e; e {
					empty = append(empty, i)
					s.files[i].dir = true
				}
			}
		case 0x0f:
			for i, e := range q.bits(len(empty), false) {
				s.files[empty[i]].dir = !e
			}
		case 0x10:
			for i, e := range q.bits(len(empty), false) {
				s.files[empty[i]].anti = e
			}
		case 0x11:
			s.parseNames(q)
		case 0x12, 0x13, 0x14:
			q.each(n, 8, func(i int, b []byte) { s.files[i].times[id-0x12] = le.Uint64(b) })
		case 0x15:
			q.each(n, 4, func(i int, b []byte) { s.files[i].attrs = le.Uint32(b) })
		}
	})
	s.assign(p, streams)
}

// each reads values of which some may be missing.
func (p *sevenParser) each(n int, size uint64, set func(i int, b []byte)) {
	has := p.bits(n, true)
	if p.byte() != 0 {
		p.fail()
	}
	for i, h := range has {
		if !h {
			continue
		}
		b := p.take(size)
		if b == nil {
			return
		}
		set(i, b)
	}
}

func (s *sevenReader) parseNames(p *sevenParser) {
	if p.byte() != 0 {
		p.fail()
	}
	for i := range s.files {
		end := 0
		for end+2 <= len(p.b) && (p.b[end] != 0 || p.b[end+1] != 0) {
			end += 2
		}
		if end+2 > len(p.b) {
			p.fail()
			return
		}
		s.files[i].name = fromUTF16LE(p.b[:end])
		p.b = p.b[end+2:]
	}
}

// assign gives each file that has content its place in a folder.
func (s *sevenReader) assign(p *sevenParser, streams *sevenStreams) {
	folder, k := 0, 0
	var at int64
	for i := range s.files {
		f := &s.files[i]
		if f.empty {
			continue
		}
		for folder < len(streams.folders) && k == streams.folders[folder].files {
			folder, k, at = folder+1, 0, 0
		}
		if folder == len(streams.folders) {
			p.fail()
			return
		}
		f.folder, f.size, f.at = int32(folder), streams.sizes[folder][k], at
		f.crc, f.hasCRC = streams.crcs[folder][k].crc, streams.crcs[folder][k].has
		at += f.size
		k++
	}
}
