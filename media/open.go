//go:build cgo && native

package media

import (
	"errors"
	"io"
	"os"

	"semblance"
)

// Open reads a file's headers and returns a picture whose frames can be decoded
// once. The file is only read, from any offset, and may be closed by the caller
// as soon as Open returns. Zero limits mean the defaults.
//
// The error has code MediaUnsupported (not a format that is read, with what it
// seems to be), MediaTooLarge (with the limit), MediaDamaged or Internal (the
// file cannot be read).
func Open(f *os.File, limits semblance.Limits, o Options) (semblance.Picture, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, semblance.Errorf(semblance.Internal, "the size of the file cannot be read").WithCause(err)
	}
	return OpenReader(f, info.Size(), limits, o)
}

// OpenReader is Open for size bytes of any reader.
func OpenReader(r io.ReaderAt, size int64, limits semblance.Limits, o Options) (semblance.Picture, error) {
	limits = limits.WithDefaults()
	if size <= 0 {
		return nil, damaged("the file is empty")
	}
	head := make([]byte, min(size, SniffLen))
	if err := readFull(r, head); err != nil {
		return nil, err
	}
	mediaType := Sniff(head)
	open := opener(mediaType)
	if open == nil {
		return nil, refuse(mediaType)
	}
	if err := checkBytes(size, limits); err != nil {
		return nil, err
	}
	p := &picture{a: semblance.Analysis{Type: mediaType, Looked: semblance.MetadataReader}, limits: limits, opts: o, data: borrow(int(size))}
	if err := readFull(r, p.data); err != nil {
		return nil, err
	}
	if err := open(p); err != nil {
		return nil, err
	}
	return p, nil
}

// opener is the list of formats that are read.
func opener(mediaType string) func(*picture) error {
	switch mediaType {
	case typeJPEG:
		return openJPEG
	case typePNG:
		return openPNG
	case typeGIF:
		return openGIF
	case typeWebP:
		return openWebP
	case typeBMP:
		return openBMP
	case typeTIFF:
		return openTIFF
	case typeHEIC, typeHEIF, typeAVIF:
		return openHEIF
	}
	return nil
}

// checkBytes bounds the file before it is read into memory. It is read and not
// mapped, because a bad sector under a mapping kills the process where a read
// gives an error.
func checkBytes(size int64, l semblance.Limits) error {
	if size > l.Bytes {
		return semblance.Errorf(semblance.MediaTooLarge, "the picture file has %d bytes, and the limit is %d", size, l.Bytes).
			WithHint("Raise the limit on bytes if the picture is wanted.")
	}
	if size > l.Memory/2 {
		return semblance.Errorf(semblance.MediaTooLarge, "the picture file has %d bytes, more than half the memory of a worker (%d bytes)", size, l.Memory).
			WithHint("Raise the limit on memory if the picture is wanted.")
	}
	return nil
}

func readFull(r io.ReaderAt, b []byte) error {
	n, err := r.ReadAt(b, 0)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return damaged("the file became shorter while it was read: %d of %d bytes", n, len(b))
	}
	return semblance.Errorf(semblance.Internal, "the file cannot be read from its medium after %d of %d bytes", n, len(b)).WithCause(err)
}
