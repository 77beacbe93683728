//go:build cgo && native

package media

/*
#include <stdlib.h>
#include "videolib.h"
*/
import "C"

import (
	"io"
	"os"
	"time"
	"unsafe"

	"semblance"
)

// A SoundCopy reads one audio stream of a file as a Matroska file of its own, as it is
// coded: nothing is decoded. It belongs to one goroutine, which closes it before the file.
type SoundCopy struct {
	v     *Video
	from  int
	c     *C.sem_copy
	why   *C.char
	ended bool
}

// CopySound opens the stream-th audio stream of a file, from 0. The error has code
// MediaUnsupported (no such stream, or of a codec that Matroska does not hold),
// MediaDamaged, MediaTooLarge, Internal or Unavailable.
func CopySound(f *os.File, stream int) (*SoundCopy, error) {
	s, err := openSound(f)
	if err != nil {
		return nil, err
	}
	s.from = stream
	if err := s.failure(C.sem_copy_start(s.v.v, C.int(stream), &s.c, s.why, textSize)); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// CountSound tells how many audio streams a file has. The error has code MediaUnsupported
// (none), MediaDamaged, Internal or Unavailable.
func CountSound(f *os.File) (n int, err error) {
	s, err := openSound(f)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var a C.sem_audio_info
	for n < maxAudios && C.sem_video_audio(s.v.v, C.int(n), &a) != 0 {
		n++
	}
	return n, nil
}

func openSound(f *os.File) (*SoundCopy, error) {
	if _, err := VideoDecoder(); err != nil {
		return nil, err
	}
	head := make([]byte, SniffLen)
	n, _ := f.ReadAt(head, 0)
	s := &SoundCopy{v: &Video{limits: semblance.Limits{}.WithDefaults(), a: semblance.Analysis{Type: Sniff(head[:n])}}, why: (*C.char)(C.calloc(1, textSize))}
	if err := s.v.openSound(f, 0, true); err != nil {
		s.Close()
		if NoVideo(err) {
			err = semblance.Errorf(semblance.MediaUnsupported, "there is no sound in this file (%s)", s.v.a.Type).WithCause(errNoVideo)
		}
		return nil, err
	}
	return s, nil
}

func (s *SoundCopy) failure(code C.int) error {
	switch code {
	case C.SEM_VIDEO_NO_VIDEO:
		return semblance.Errorf(semblance.MediaUnsupported, "the file (%s) has no audio stream of this number", s.v.a.Type)
	case C.SEM_VIDEO_NO_DECODER:
		return semblance.Errorf(semblance.MediaUnsupported, "the sound cannot be put into a Matroska file: %s", C.GoString(s.why))
	case C.SEM_VIDEO_DAMAGED:
		return damaged("not all of the sound can be read")
	}
	return s.v.failure(code, C.GoString(s.why))
}

// Read implements io.Reader. After the last packet of a file that breaks off there is a
// *semblance.Error instead of io.EOF.
func (s *SoundCopy) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		if n := C.sem_copy_take(s.c, (*C.uint8_t)(unsafe.SliceData(b)), C.size_t(len(b))); n > 0 {
			return int(n), nil
		}
		if s.ended {
			if why := s.v.unheard(C.SEM_VIDEO_END); why != "" {
				return 0, damaged("%s", why)
			}
			if why := s.missing(); why != "" {
				return 0, damaged("%s", why)
			}
			return 0, io.EOF
		}
		switch code := C.sem_copy_next(s.v.v, s.c, s.why, textSize); code {
		case C.SEM_VIDEO_OK:
		case C.SEM_VIDEO_END:
			s.ended = true
		default:
			return 0, s.failure(code)
		}
	}
}

// missing is what ReadSound and Sound say of the stream.
func (s *SoundCopy) missing() string {
	var bad C.int
	var packets, length, end C.int64_t
	C.sem_copy_counts(s.c, &bad, &packets, &length, &end)
	var a C.sem_audio_info
	C.sem_video_audio(s.v.v, C.int(s.from), &a)
	return missing(int(bad), int64(packets), s.v.soundEnd(s.from, time.Duration(a.duration), time.Duration(length), time.Duration(end)))
}

// Close implements io.Closer.
func (s *SoundCopy) Close() error {
	C.sem_copy_close(s.c)
	s.c = nil
	C.free(unsafe.Pointer(s.why))
	s.why = nil
	return s.v.Close()
}
