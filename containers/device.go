package containers

import (
	"errors"
	"io"
	"sort"

	"semblance"
)

// A span is a stretch of bytes: from start up to, not with, end.
type span struct{ start, end int64 }

// A device is what an image is of: a disk, a card, a volume.
type device interface {
	// ReadAt reads at most up to the end of the device; a part of it that the image
	// lacks is an error.
	io.ReaderAt
	Size() int64
	// Data returns the first stretch at or behind an offset that may hold something else
	// than zeros; both are the size when there is none. It keeps disks that are empty
	// for terabytes from being read.
	Data(from int64) (start, end int64)
}

// SEEK_DATA and SEEK_HOLE of Linux.
const (
	seekData = 3
	seekHole = 4
)

// dataIn asks the file system for the next stretch of a file that is no hole. Only an
// *os.File can tell; of anything else everything is data.
func dataIn(r io.ReaderAt, size, from int64) (start, end int64) {
	if from >= size {
		return size, size
	}
	s, ok := r.(io.Seeker)
	if !ok {
		return from, size
	}
	start, err := s.Seek(from, seekData)
	if err != nil {
		// ENXIO says that there is none; whoever does not know the question refuses it.
		if _, again := s.Seek(0, seekData); again == nil || isNoData(err) {
			return size, size
		}
		return from, size
	}
	if end, err = s.Seek(start, seekHole); err != nil || end <= start || end > size {
		end = size
	}
	return min(start, size), end
}

// A joined is a device that lies in the parts as it is, one part behind the other.
type joined struct {
	parts []Part
	ends  []int64 // of each part in the device
}

func join(parts []Part) *joined {
	j := &joined{parts: parts}
	end := int64(0)
	for _, p := range parts {
		end += p.Size
		j.ends = append(j.ends, end)
	}
	return j
}

// Size returns the size of all parts.
func (j *joined) Size() int64 { return j.ends[len(j.ends)-1] }

// at returns the part that holds an offset, and where it begins.
func (j *joined) at(off int64) (i int, begin int64) {
	i = sort.Search(len(j.ends), func(i int) bool { return j.ends[i] > off })
	if i > 0 {
		begin = j.ends[i-1]
	}
	return i, begin
}

// ReadAt reads across the borders of parts.
func (j *joined) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		i, begin := j.at(off + int64(n))
		if i == len(j.parts) || off < 0 {
			return n, io.EOF
		}
		want := min(int64(len(p)-n), j.ends[i]-off-int64(n))
		got, err := j.parts[i].R.ReadAt(p[n:n+int(want)], off+int64(n)-begin)
		n += got
		if int64(got) < want {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF // it became shorter
			}
			return n, err
		}
	}
	return n, nil
}

// Data skips the holes of the files.
func (j *joined) Data(from int64) (start, end int64) {
	for i, begin := j.at(from); i < len(j.parts); i++ {
		if i > 0 {
			begin = j.ends[i-1]
		}
		s, e := dataIn(j.parts[i].R, j.parts[i].Size, max(from-begin, 0))
		if s < e {
			return begin + s, begin + e
		}
	}
	return j.Size(), j.Size()
}

// readable turns what a device answers into a sentence.
func readable(err error, at int64) error {
	var e *semblance.Error
	switch {
	case errors.As(err, &e):
		return err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return semblance.Errorf(semblance.MediaDamaged, "the image ends before byte %d of the device, where this lies", at).WithCause(err)
	}
	return semblance.Errorf(semblance.MediaDamaged, "the image cannot be read at byte %d of the device", at).WithCause(err)
}
