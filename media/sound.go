//go:build cgo && native

package media

/*
#include <stdlib.h>
#include "videolib.h"
*/
import "C"

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"semblance"
)

// ReadSound describes a file that has sound and no video. Nothing is decoded. The file is
// read with pread. left is as in VideoOptions.
//
// The error has code MediaUnsupported (no sound either), MediaDamaged, Internal, Timeout or
// Unavailable.
func ReadSound(f *os.File, limits semblance.Limits, left time.Duration) (semblance.Analysis, error) {
	version, err := VideoDecoder()
	if err != nil {
		return semblance.Analysis{}, err
	}
	head := make([]byte, SniffLen)
	n, _ := f.ReadAt(head, 0)
	v := &Video{limits: limits.WithDefaults(), a: semblance.Analysis{Type: Sniff(head[:n]), Decoder: version}}
	defer v.Close()
	if err := v.openSound(f, left, true); err != nil {
		return semblance.Analysis{}, err
	}
	v.a.Metadata = v.facts()
	if v.info.covers > 0 {
		v.warn("the cover picture in the file is not examined")
	}
	v.sound(v.a.Metadata.Video)
	first := v.a.Metadata.Video.Audio[0]
	if first.Packets == 0 {
		return semblance.Analysis{}, damaged("no packet of the sound (%s, %s) can be read: %s", v.a.Type, first.Codec, first.Partial)
	}
	v.a.Partial = first.Partial
	return v.a, nil
}

// Sound reads all packets of the sound of a video, of whose frames none has to be decoded
// for it, beside the reading of the frames. It fills in what Describe tells of sound.
func (v *Video) Sound(f *os.File, left time.Duration) {
	facts := v.a.Metadata.Video
	facts.Sound = semblance.SoundReader
	if len(facts.Audio) == 0 {
		return
	}
	s := &Video{a: semblance.Analysis{Type: v.a.Type}, limits: v.limits}
	defer s.Close()
	if err := s.openSound(f, left, false); err != nil {
		for i := range facts.Audio {
			facts.Audio[i].Partial = err.Error()
		}
		return
	}
	v.heard = s.sound(facts)
}

func (v *Video) openSound(f *os.File, left time.Duration, look bool) error {
	info, err := f.Stat()
	if err != nil {
		return semblance.Errorf(semblance.Internal, "the size of the file cannot be read").WithCause(err)
	}
	why := (*C.char)(C.calloc(1, textSize))
	defer C.free(unsafe.Pointer(why))
	code := C.sem_sound_open(C.int(f.Fd()), C.int64_t(info.Size()), C.int64_t(left), cbool(look), &v.v, &v.info, why, textSize)
	switch code {
	case C.SEM_VIDEO_NO_VIDEO:
		return v.failure(code, "")
	case C.SEM_VIDEO_NOT_OPEN:
		if strings.HasPrefix(v.a.Type, "image/") {
			return semblance.Errorf(semblance.MediaUnsupported, "the file is a picture (%s) and has no sound", v.a.Type)
		}
		return damaged("the sound (%s) does not open: %s", v.a.Type, C.GoString(why))
	}
	return v.failure(code, C.GoString(why))
}

// leastDifferent is how many different pieces of packets there are in what is no silence:
// some encoders begin it with a few that differ, and others change between two. A packet
// can be the whole second.
const (
	leastDifferent = 16
	soundPiece     = 512 // bytes
)

// A soundSum is made of the packets of one stream.
type soundSum struct {
	sum            hash.Hash
	packets, bytes int64
	length         time.Duration // of the packets together
	end            time.Duration // of the last one
	damaged        int
	different      map[[sha256.Size]byte]bool
}

// add adds a packet. AAC between others' frames (ADTS) loses its headers, which an MP4
// does not have.
func (s *soundSum) add(codec string, b []byte, length time.Duration) {
	if codec == "aac" && len(b) >= 7 && b[0] == 0xff && b[1]&0xf6 == 0xf0 {
		header := 9
		if b[1]&1 == 1 { // no checksum
			header = 7
		}
		b = b[min(header, len(b)):]
	}
	s.packets, s.bytes, s.length = s.packets+1, s.bytes+int64(len(b)), s.length+length
	s.sum.Write(b)
	for ; len(b) > 0 && len(s.different) < leastDifferent; b = b[min(soundPiece, len(b)):] {
		s.different[sha256.Sum256(b[:min(soundPiece, len(b))])] = true
	}
}

// sound reads to the end, and puts what it finds into the streams that headers have told
// of.
func (v *Video) sound(facts *semblance.VideoFacts) []soundEnd {
	facts.Sound = semblance.SoundReader
	sums := make([]soundSum, len(facts.Audio))
	for i := range sums {
		sums[i] = soundSum{sum: sha256.New(), different: map[[sha256.Size]byte]bool{}}
	}
	var p C.sem_sound_packet
	code := C.int(C.SEM_VIDEO_OK)
	for code == C.SEM_VIDEO_OK {
		if code = C.sem_sound_next(v.v, &p); code == C.SEM_VIDEO_OK && int(p.stream) < len(sums) && p.size > 0 {
			sums[p.stream].damaged += int(min(p.damaged, 1))
			sums[p.stream].add(facts.Audio[p.stream].Codec, unsafe.Slice((*byte)(unsafe.Pointer(p.data)), int(p.size)), time.Duration(p.duration))
			sums[p.stream].end = max(sums[p.stream].end, time.Duration(p.end))
		}
	}
	why := v.unheard(code)
	ends := make([]soundEnd, len(sums))
	for i := range sums {
		ends[i] = v.soundEnd(i, facts.Audio[i].Duration, sums[i].length, sums[i].end)
		part := why
		if part == "" {
			part = missing(sums[i].damaged, sums[i].packets, ends[i])
		}
		sums[i].describe(&facts.Audio[i], part)
	}
	return ends
}

// A soundEnd is how far the packets of a stream reach, and how far they are to by a header;
// 0 is not stated.
type soundEnd struct{ reached, stated time.Duration }

// soundEnd tells it of the i-th stream. In MP4 the header knows every packet, and guesses
// no length. Elsewhere the later of two ends is taken: packets may have no length, and a
// recording need not begin at 0.
func (v *Video) soundEnd(i int, byHeader, length, end time.Duration) soundEnd {
	if strings.Contains(C.GoString(&v.info.format[0]), "mov") {
		if length == 0 {
			return soundEnd{}
		}
		return soundEnd{length, byHeader}
	}
	var a C.sem_audio_info
	C.sem_video_audio(v.v, C.int(i), &a)
	return soundEnd{max(length, end), time.Duration(a.stated)}
}

// short reports whether packets that reach so far are too few for a length. Headers of
// whole files count padding, and round.
func (e soundEnd) short(length time.Duration) bool {
	return e.reached > 0 && e.reached+max(time.Second, length/50) < length
}

// soundCut says of a film whose picture breaks off what its sound lacks, which no header
// tells the length of.
func (v *Video) soundCut(a *semblance.Analysis) {
	if a.Metadata.Video == nil {
		return
	}
	facts := *a.Metadata.Video
	facts.Audio = slices.Clone(facts.Audio)
	for i, e := range v.heard {
		if s := &facts.Audio[i]; s.Partial == "" && e.stated == 0 && e.short(a.Video.Duration) {
			s.Partial, s.SHA256, s.Silent = cutAfter(e.reached, a.Video.Duration), nil, false
		}
	}
	a.Metadata.Video = &facts
}

func cutAfter(reached, length time.Duration) string {
	return fmt.Sprintf("truncated after %s of %s", brief(reached), brief(length))
}

// unheard says why not all of the sound was read; "" when it was.
func (v *Video) unheard(code C.int) string {
	var bad C.int64_t
	var readError, short, beyond C.int
	C.sem_video_counts(v.v, &bad, &readError, &short, &beyond)
	switch {
	case readError != 0:
		return "the file cannot be read from its medium to the end of the sound"
	case short != 0:
		return "the file became shorter while it was read"
	case beyond != 0:
		return "truncated: the index puts sound behind the end of the file"
	case code == C.SEM_VIDEO_TIMEOUT:
		return "the limit on the time in which the sound of a file is read was met"
	case code != C.SEM_VIDEO_END:
		return "damaged: not all of the sound can be read"
	}
	return ""
}

// missing says what a stream lacks, "" where it is whole.
func missing(damaged int, packets int64, e soundEnd) string {
	switch {
	case damaged > 0:
		return fmt.Sprintf("damaged or truncated: %d of %d packets are not whole", damaged, packets)
	case e.short(e.stated):
		return cutAfter(e.reached, e.stated)
	}
	return ""
}

func (s *soundSum) describe(a *semblance.AudioStream, why string) {
	a.Packets, a.Bytes, a.Partial = s.packets, s.bytes, why
	if a.Duration == 0 {
		a.Duration = s.length
	}
	if a.BitRate == 0 && a.Duration > 0 {
		a.BitRate = int64(float64(s.bytes) * 8 / a.Duration.Seconds())
	}
	switch {
	case why != "":
	case s.packets == 0:
		a.Partial = "the stream has no packet"
	default:
		sum := semblance.SHA256(s.sum.Sum(nil))
		a.SHA256, a.Silent = &sum, len(s.different) < leastDifferent
	}
}

// NoVideo reports whether OpenVideo's error says that a file has no video, and may have
// sound.
func NoVideo(err error) bool { return errors.Is(err, errNoVideo) }

var errNoVideo = errors.New("no video stream")
