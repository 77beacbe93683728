package frames

import (
	"encoding/binary"
	"hash/crc32"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

const (
	headerBytes = 64
	entryBytes  = 16
	orderMark   = 0x01020304
	reelFormat  = 1
	// maxReelBytes bounds a file before anything is done with it.
	maxReelBytes = 1 << 36
)

var reelMagic = [8]byte{'S', 'M', 'B', 'L', 'R', 'E', 'E', 'L'}

// A reelHeader begins a reel. All numbers are in the machine's own order of bytes, which
// Order tells. Sum is of the header, with a Sum of 0, and of everything but the means.
type reelHeader struct {
	Magic   [8]byte
	Format  uint32
	Order   uint32
	Entries uint32
	Means   uint32
	Sum     uint32
}

// An entry is what is known of a video entry besides its frames.
type entry struct {
	ID     int64
	Frames uint32
	Mean   uint32 // which of the means is its own, from 1; 0 none
}

// A reel is some entries: header, entries, checksums of the means, and the means of
// those that have one. Whatever is reached through it keeps its file mapped only as long as the reel is
// reachable itself.
type reel struct {
	reelHeader
	file    string // in the collection's folder; "" in memory
	entries []entry
	sums    []byte
	means   []byte
}

// openReel reads an image that may be anything. Means are checked when they are used.
func openReel(image []byte) (*reel, error) {
	r := &reel{}
	if len(image) < headerBytes {
		return nil, disk.ErrDamaged
	}
	if _, err := binary.Decode(image, binary.NativeEndian, &r.reelHeader); err != nil || r.Magic != reelMagic || r.Format != reelFormat || r.Order != orderMark {
		return nil, disk.ErrDamaged
	}
	sums := headerBytes + entryBytes*int(r.Entries)
	means := sums + 4*int(r.Means)
	if len(image) != means+hashing.TMKMeanBytes*int(r.Means) || r.sum(image[:means]) != r.Sum {
		return nil, disk.ErrDamaged
	}
	r.sums, r.means = image[sums:means], image[means:]
	r.entries = make([]entry, r.Entries)
	if _, err := binary.Decode(image[headerBytes:sums], binary.NativeEndian, r.entries); err != nil {
		return nil, disk.ErrDamaged
	}
	for _, e := range r.entries {
		if e.ID <= 0 || e.ID > mostEntry || e.Frames > hashing.MaxVPDQFrames || e.Mean > r.Means {
			return nil, disk.ErrDamaged
		}
	}
	return r, nil
}

// sum is the checksum of what is before the means.
func (h reelHeader) sum(image []byte) uint32 {
	h.Sum = 0
	head := make([]byte, headerBytes)
	_, _ = binary.Encode(head, binary.NativeEndian, h) // it fits
	return crc32.Update(crc32.Checksum(head, disk.Castagnoli), disk.Castagnoli, image[headerBytes:])
}

// mean returns the mean frame of an entry that has one.
func (r *reel) mean(e entry) (hashing.TMKMean, error) {
	b := r.means[hashing.TMKMeanBytes*int(e.Mean-1):][:hashing.TMKMeanBytes]
	if crc32.Checksum(b, disk.Castagnoli) != binary.NativeEndian.Uint32(r.sums[4*(e.Mean-1):]) {
		return hashing.TMKMean{}, disk.ErrDamaged
	}
	return hashing.ParseTMKMean(b)
}

// A writer gathers the entries of a reel.
type writer struct {
	entries []entry
	means   []byte
}

// add takes an entry and yields its frames, each hash once.
func (w *writer) add(h semblance.HashEntry, yield func(semblance.HashEntry) error) error {
	if h.ID <= 0 || h.ID > mostEntry {
		return semblance.Errorf(semblance.Internal, "a video entry has the number %d", h.ID)
	}
	if h.Algorithm == hashing.AlgorithmTMK {
		t, err := hashing.ParseTMK(h.Value)
		if err != nil {
			return semblance.Errorf(semblance.Internal, "the stored TMK+PDQF of entry %d is damaged: %v", h.ID, err)
		}
		m := t.Mean()
		w.means = m.AppendBinary(w.means)
		w.entries = append(w.entries, entry{ID: int64(h.ID), Mean: uint32(len(w.means) / hashing.TMKMeanBytes)})
		return nil
	}
	all, err := hashing.ParseVPDQBinary(h.Value)
	if err != nil {
		return semblance.Errorf(semblance.Internal, "the stored vPDQ of entry %d is damaged: %v", h.ID, err)
	}
	seen := map[hashing.PDQ]bool{}
	for _, f := range all {
		if seen[f.Hash] || hashing.IsTrivial(hashing.AlgorithmPDQ, f.Hash[:]) {
			continue
		}
		if err := yield(semblance.HashEntry{ID: frameID(int64(h.ID), uint32(len(seen))), Algorithm: hashing.AlgorithmPDQ, Value: f.Hash[:]}); err != nil {
			return err
		}
		seen[f.Hash] = true
	}
	w.entries = append(w.entries, entry{ID: int64(h.ID), Frames: uint32(len(seen))})
	return nil
}

// take moves the entries of a reel that are not gone in front of the writer's own.
func (w *writer) take(r *reel, gone map[int64]bool) error {
	before := writer{}
	for _, e := range r.entries {
		if gone[e.ID] {
			continue
		}
		if e.Mean > 0 {
			m, err := r.mean(e)
			if err != nil {
				return err
			}
			before.means = m.AppendBinary(before.means)
			e.Mean = uint32(len(before.means) / hashing.TMKMeanBytes)
		}
		before.entries = append(before.entries, e)
	}
	shift := uint32(len(before.means) / hashing.TMKMeanBytes)
	for _, e := range w.entries {
		if e.Mean > 0 {
			e.Mean += shift
		}
		before.entries = append(before.entries, e)
	}
	before.means = append(before.means, w.means...)
	*w = before
	return nil
}

// image makes the file of a reel.
func (w *writer) image() []byte {
	h := reelHeader{Magic: reelMagic, Format: reelFormat, Order: orderMark, Entries: uint32(len(w.entries)), Means: uint32(len(w.means) / hashing.TMKMeanBytes)}
	image := make([]byte, headerBytes, headerBytes+entryBytes*len(w.entries)+(4+hashing.TMKMeanBytes)*int(h.Means))
	image, _ = binary.Append(image, binary.NativeEndian, w.entries) // numbers only
	for b := w.means; len(b) > 0; b = b[hashing.TMKMeanBytes:] {
		image = binary.NativeEndian.AppendUint32(image, crc32.Checksum(b[:hashing.TMKMeanBytes], disk.Castagnoli))
	}
	h.Sum = h.sum(image)
	_, _ = binary.Encode(image, binary.NativeEndian, h)
	return append(image, w.means...)
}
