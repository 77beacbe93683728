package containers

import (
	"bytes"
	"math"
	"slices"
)

// zipWindow is how much of an archive is looked at at once when entries are searched
// for; local headers with the longest name and extra fields lie in it whole.
const zipWindow = 1 << 20

// scan finds entries by their local headers between two offsets and lists them as if the
// directory had. What is read is bounded by the range: after each entry whose size is
// stated it goes on behind its content.
func (z *zipReader) scan(from, to int64, flags uint8, o *Options) {
	for at := from; at < to; {
		if flags == 0 {
			o.progress(at, to)
		}
		head, ok := z.find(&at, to, o, zipLocal)
		if !ok {
			return
		}
		h, data, ok := zipLocalHeader(head)
		if !ok {
			at += 4
			continue
		}
		local := at
		data += at
		at = z.measure(&h, data, to, o)
		z.refs = append(z.refs, zipRef{dir: len(z.dir), local: local, flags: flags})
		z.dir = h.appendTo(z.dir)
	}
}

// look gives the bytes from at on: a window that is read once for all that lies in it,
// and that holds a whole local header unless it ends before to.
func (z *zipReader) look(at, to int64) []byte {
	const enough = 30 + 2*math.MaxUint16
	end := z.windowAt + int64(len(z.window))
	if at < z.windowAt || at >= end || end-at < enough && end < to {
		if z.window == nil {
			z.window = make([]byte, 0, zipWindow)
		}
		z.window, z.windowAt = z.window[:min(zipWindow, max(0, to-at))], at
		n, _ := z.r.ReadAt(z.window, at)
		z.window = z.window[:n]
		end = at + int64(n)
	}
	return z.window[at-z.windowAt : max(at, min(end, to))-z.windowAt]
}

// find moves at to the next place where one of the signatures stands, and gives what
// follows it.
func (z *zipReader) find(at *int64, to int64, o *Options, sigs ...uint32) ([]byte, bool) {
	for *at < to {
		b := z.look(*at, to)
		if len(b) < 4 {
			return nil, false
		}
		i := bytes.Index(b, []byte("PK"))
		switch {
		case i < 0:
			*at += int64(len(b) - 1)
		case i > len(b)-4:
			*at += max(int64(i), 1)
			if *at+4 > to {
				return nil, false
			}
		case !slices.Contains(sigs, le.Uint32(b[i:])):
			*at += int64(i + 2)
			continue
		default:
			*at += int64(i)
			return z.look(*at, to), true
		}
		o.progress(*at, z.size)
	}
	return nil, false
}

// zipLocalHeader reads a local header as if it were a directory's record; data is how
// long it is.
func zipLocalHeader(b []byte) (h zipHeader, data int64, ok bool) {
	if len(b) < 30 {
		return h, 0, false
	}
	n, m := int(le.Uint16(b[26:])), int(le.Uint16(b[28:]))
	version := b[4]
	if n == 0 || len(b) < 30+n+m || version > 63 {
		return h, 0, false
	}
	h = zipHeader{
		flags: le.Uint16(b[6:]), method: le.Uint16(b[8:]), dos: le.Uint32(b[10:]), crc: le.Uint32(b[14:]),
		packed: int64(le.Uint32(b[18:])), size: int64(le.Uint32(b[22:])),
		name: bytes.Clone(b[30 : 30+n]), extra: bytes.Clone(b[30+n : 30+n+m]),
	}
	h.wide()
	return h, int64(30 + n + m), true
}

// measure finds how long the content of an entry is, and returns where the next one can
// begin.
func (z *zipReader) measure(h *zipHeader, data, to int64, o *Options) int64 {
	const descriptor = 8
	if h.flags&descriptor == 0 || h.packed > 0 {
		end := data + h.packed
		if h.packed <= to-data && z.border(end, to) {
			return end
		}
		// The size leads nowhere: the content ends where something else begins.
		next := data
		if _, ok := z.find(&next, to, o, zipLocal); !ok {
			next = to
		}
		if h.packed > next-data {
			return next
		}
		return end
	}
	return z.descriptor(h, data, to, o)
}

// border reports whether something of a zip archive begins at an offset.
func (z *zipReader) border(at, to int64) bool {
	if at == to || at == z.size {
		return true
	}
	var b [4]byte
	if readAt(z.r, b[:], at) != nil {
		return false
	}
	switch le.Uint32(b[:]) {
	case zipLocal, zipCentral, zipEnd, zip64End, zipDescriptor:
		return true
	}
	return false
}

// descriptor finds the sizes of an entry that was written without knowing them: they
// stand behind its content, with or without a signature, where they are told by agreeing
// with the distance. Headers before that are those of an archive inside the entry.
func (z *zipReader) descriptor(h *zipHeader, data, to int64, o *Options) int64 {
	first := int64(-1)
	for at := data; at < to; at += 4 {
		b, ok := z.find(&at, to, o, zipDescriptor, zipLocal, zipCentral)
		if !ok {
			break
		}
		if le.Uint32(b) == zipDescriptor {
			if n := h.described(b[4:], at-data); n > 0 {
				return at + 4 + n
			}
			continue
		}
		var before [20]byte
		for _, n := range []int64{12, 20} {
			if at-n >= data && readAt(z.r, before[:n], at-n) == nil && h.described(before[:n], at-n-data) == n {
				return at
			}
		}
		if first < 0 {
			first = at
		}
		// How far entries may be looked for beyond the next header is bounded over the
		// archive: a million of them must not be read a million times.
		if z.ahead += at - first; z.ahead > 4*z.size {
			break
		}
	}
	if first < 0 {
		first = to
	}
	h.packed, h.size, h.crc = first-data, -1, 0
	return first
}

// described reads a data descriptor of an entry with so many bytes packed; it returns
// its length, 0 when it is not one.
func (h *zipHeader) described(b []byte, packed int64) int64 {
	switch {
	case len(b) >= 12 && int64(le.Uint32(b[4:])) == packed:
		h.crc, h.packed, h.size = le.Uint32(b), packed, int64(le.Uint32(b[8:]))
		return 12
	case len(b) >= 20 && int64(le.Uint64(b[4:])) == packed && int64(le.Uint64(b[12:])) >= 0:
		h.crc, h.packed, h.size = le.Uint32(b), packed, int64(le.Uint64(b[12:]))
		return 20
	}
	return 0
}

// appendTo writes the entry as a directory record.
func (h *zipHeader) appendTo(dir []byte) []byte {
	size := h.size
	if size < 0 {
		size = math.MaxInt64 // read back as -1
	}
	extra := le.AppendUint16(le.AppendUint16(nil, 1), 16)
	extra = le.AppendUint64(le.AppendUint64(extra, uint64(size)), uint64(h.packed))
	for rest := h.extra; len(rest) >= 4; { // all but the sizes of old, and no more than a record holds
		n := 4 + int(le.Uint16(rest[2:]))
		if n > len(rest) || len(extra)+n > math.MaxUint16 {
			break
		}
		if le.Uint16(rest) != 1 {
			extra = append(extra, rest[:n]...)
		}
		rest = rest[n:]
	}
	var b [zipRecord]byte
	le.PutUint32(b[:], zipCentral)
	le.PutUint16(b[8:], h.flags)
	le.PutUint16(b[10:], h.method)
	le.PutUint32(b[12:], h.dos)
	le.PutUint32(b[16:], h.crc)
	le.PutUint32(b[20:], math.MaxUint32)
	le.PutUint32(b[24:], math.MaxUint32)
	le.PutUint16(b[28:], uint16(len(h.name)))
	le.PutUint16(b[30:], uint16(len(extra)))
	return append(append(append(dir, b[:]...), h.name...), extra...)
}
