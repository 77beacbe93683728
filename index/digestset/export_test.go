package digestset

import (
	"encoding/binary"
	"hash/crc32"

	"semblance"
)

// SetStep has f called before every change of the disk; it may fail it.
func SetStep(l *Library, f func(string) error) { l.disk.step = f }

// SetLazy leaves out syncing.
func SetLazy(l *Library) { l.disk.lazy = true }

// SetRunRecords makes runs of so many records.
func SetRunRecords(l *Library, n int) { l.o.runRecords = n }

// ReadImage opens what a file holds, looks for values and reads every record.
func ReadImage(image, values []byte) error {
	s, err := openImage(image)
	if err != nil {
		return err
	}
	n := len(values) / s.digest
	found := make([]int64, n)
	if err := s.Find(values[:n*s.digest], found); err != nil {
		return err
	}
	for i := range s.Len() {
		if _, err := s.Record(i); err != nil {
			return err
		}
	}
	return nil
}

// ParseJournal reads a journal that may be anything.
func ParseJournal(b []byte) (*semblance.DigestSet, int64) {
	p, err := parseJournal(b)
	if err != nil {
		return nil, 0
	}
	return &p.head.Set, p.length
}

// Mend makes every checksum of an image right again, so that what is wrong otherwise is met.
// It is false for one whose foot does not even tell where they are.
func Mend(image []byte) bool {
	if len(image) < headBytes+footBytes {
		return false
	}
	var f foot
	end := image[len(image)-footBytes:]
	if _, err := binary.Decode(end, binary.LittleEndian, &f); err != nil {
		return false
	}
	f.Magic, f.Format = footMagic, fileFormat
	l, ok := f.layout()
	if !ok || l.size != int64(len(image)) {
		return false
	}
	copy(image, f.head())
	s := &Set{foot: f, layout: l, image: image, start: image[l.table:][:4*l.tableLen]}
	sums := image[l.sums:][:4*l.sumLen]
	for n := range l.sumLen {
		binary.LittleEndian.PutUint32(sums[4*n:], crc32.Checksum(s.part(n), castagnoli))
	}
	for n := range l.topLen {
		binary.LittleEndian.PutUint32(image[l.top+4*int64(n):], crc32.Checksum(sums[n*pieceBytes:min(len(sums), (n+1)*pieceBytes)], castagnoli))
	}
	f.TopSum = crc32.Checksum(image[l.top:][:4*l.topLen], castagnoli)
	f.MetaSum = crc32.Checksum(image[l.meta:][:f.MetaLen], castagnoli)
	copy(end, f.encode())
	return true
}
