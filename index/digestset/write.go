package digestset

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"semblance"
	"semblance/hashing"
)

// writeBuffer is how much is written at once.
const writeBuffer = 1 << 20

// A writer writes one file of a set from records in the order of their digests, each
// digest once. It holds the file's sums and one block in memory. The table is written
// beside and appended, thinned when there were fewer records than expected.
type writer struct {
	foot
	layout
	d          *disk
	path       string
	out        *file
	buf        *bufio.Writer
	hash       hash.Hash
	size       int64
	table      *file
	tableBuf   *bufio.Writer
	next       uint64 // place of the table that is not written yet
	keys, cols []byte // of the block
	last       []byte
	sums       []uint32
}

// newWriter begins a file aside of path. most is how many records there can be at most,
// most.. the largest value of each column.
func newWriter(d *disk, path string, alg hashing.Algorithm, records uint64, largest row) (*writer, error) {
	if records > maxRecords {
		return nil, semblance.Errorf(semblance.Invalid, "a digest set holds at most %d digests of one algorithm, and these can be %d", uint64(maxRecords), records).
			WithHint("Divide the list.")
	}
	w := &writer{d: d, path: path, hash: sha256.New()}
	w.foot = foot{Magic: footMagic, Format: fileFormat, Digest: uint32(alg.Bits()), Bits: tableBits(records),
		Widths: [columns]uint8{widthOf(largest.source), widthOf(largest.row), widthOf(largest.size), widthOf(largest.text), widthOf(largest.flags)}}
	_, _ = rand.Read(w.ID[:]) // never fails: it crashes the program instead
	w.layout, _ = w.foot.layout()
	var err error
	if w.out, err = d.create(path + ".new"); err != nil {
		return nil, err
	}
	if w.table, err = d.create(path + ".table"); err != nil {
		return nil, errors.Join(err, w.out.Close())
	}
	w.buf = bufio.NewWriterSize(io.MultiWriter(w.out, w.hash), writeBuffer)
	w.tableBuf = bufio.NewWriterSize(w.table, writeBuffer/4)
	return w, w.write(w.head())
}

// abandon closes what is open. What is left on the disk is overwritten by the next writer.
func (w *writer) abandon() {
	_ = w.out.Close()
	_ = w.table.Close()
}

func (w *writer) write(b []byte) error {
	w.size += int64(len(b))
	_, err := w.buf.Write(b)
	return err
}

// add appends a record, whose digest is greater than all before.
func (w *writer) add(digest []byte, r row) error {
	if bytes.Compare(w.last, digest) >= 0 && w.Records > 0 {
		return errDamaged // what was sorted is not any more
	}
	w.last = append(w.last[:0], digest...)
	place := uint64(binary.BigEndian.Uint32(digest)) >> (32 - w.Bits)
	if err := w.places(place, uint32(w.Records)); err != nil {
		return err
	}
	w.keys = append(w.keys, digest...)
	for c, n := range [columns]uint64{r.source, r.row, r.size, r.text, r.flags} {
		w.cols = putNumber(w.cols, n, w.Widths[c])
	}
	if w.Records++; w.Records%blockRecords == 0 {
		return w.endBlock()
	}
	return nil
}

// places writes the table up to a place: the record that comes next is the first there.
func (w *writer) places(place uint64, record uint32) error {
	for ; w.next <= place; w.next++ {
		if _, err := w.tableBuf.Write(binary.LittleEndian.AppendUint32(w.tableBuf.AvailableBuffer(), record)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) endBlock() error {
	if len(w.keys) == 0 {
		return nil
	}
	sum := crc32.Update(crc32.Checksum(w.keys, castagnoli), castagnoli, w.cols)
	w.sums = append(w.sums, sum)
	err := errors.Join(w.write(w.keys), w.write(w.cols))
	w.keys, w.cols = w.keys[:0], w.cols[:0]
	return err
}

// finish writes the rest, syncs the file and gives it its name.
func (w *writer) finish(about meta) (semblance.SetFile, error) {
	var out semblance.SetFile
	err := w.endBlock()
	if err == nil {
		err = w.places(1<<w.Bits, uint32(w.Records))
	}
	if err == nil {
		err = w.tableBuf.Flush()
	}
	if err == nil {
		err = w.tail(about)
	}
	if err == nil {
		err = w.out.sync()
	}
	if err = errors.Join(err, w.out.Close(), w.table.Close()); err != nil {
		return out, err
	}
	if err := w.d.rename(w.path+".new", w.path); err != nil {
		return out, err
	}
	_ = os.Remove(w.path + ".table") // best effort: it goes with the folder's other leavings
	out = semblance.SetFile{Algorithm: algorithmOf(w.Digest), Records: int64(w.Records), Bytes: w.size, SHA256: semblance.SHA256(w.hash.Sum(nil)), Seal: sha256.Sum256(w.foot.encode())}
	return out, nil
}

// tail writes what comes after the records.
func (w *writer) tail(about meta) error {
	text, err := json.Marshal(about)
	if err != nil {
		return err
	}
	if len(text) > maxMetaBytes {
		return semblance.Errorf(semblance.Invalid, "%d bytes about the sources of a digest set are too many", len(text))
	}
	written := w.Bits
	w.MetaLen, w.MetaSum = uint32(len(text)), crc32.Checksum(text, castagnoli)
	w.Bits = min(written, tableBits(w.Records))
	w.layout, _ = w.foot.layout()
	if err := w.writeTable(written - w.Bits); err != nil {
		return err
	}
	top, err := w.writeSums()
	if err != nil {
		return err
	}
	w.TopSum = crc32.Checksum(top, castagnoli)
	for _, part := range []struct {
		at    int64
		bytes []byte
	}{{w.layout.top, top}, {w.layout.meta, text}, {w.layout.size - footBytes, w.foot.encode()}} {
		if err := w.padTo(part.at); err != nil {
			return err
		}
		if err := w.write(part.bytes); err != nil {
			return err
		}
	}
	return w.buf.Flush()
}

// writeTable appends the table, of which it keeps every 2^thin-th place.
func (w *writer) writeTable(thin uint32) error {
	if err := w.padTo(w.layout.table); err != nil {
		return err
	}
	if _, err := w.table.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(w.table, writeBuffer/4)
	piece := make([]byte, 0, pieceBytes)
	one := make([]byte, 4)
	flush := func() error {
		w.sums = append(w.sums, crc32.Checksum(piece, castagnoli))
		err := w.write(piece)
		piece = piece[:0]
		return err
	}
	for n := range w.tableLen {
		if n > 0 {
			if _, err := in.Discard(4 * (1<<thin - 1)); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(in, one); err != nil {
			return err
		}
		if piece = append(piece, one...); len(piece) == pieceBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(piece) > 0 {
		return flush()
	}
	return nil
}

// writeSums appends the sums and returns the sums of the sums.
func (w *writer) writeSums() (top []byte, err error) {
	if err := w.padTo(w.layout.sums); err != nil {
		return nil, err
	}
	all := make([]byte, 0, 4*len(w.sums))
	for _, s := range w.sums {
		all = binary.LittleEndian.AppendUint32(all, s)
	}
	for at := 0; at < len(all); at += pieceBytes {
		top = binary.LittleEndian.AppendUint32(top, crc32.Checksum(all[at:min(len(all), at+pieceBytes)], castagnoli))
	}
	return top, w.write(all)
}

func (w *writer) padTo(at int64) error {
	if at < w.size {
		return errDamaged
	}
	return w.write(make([]byte, at-w.size))
}
