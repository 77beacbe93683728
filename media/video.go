//go:build cgo && native

package media

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "videolib.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"semblance"
	"semblance/hashing"
)

// A Video is an opened video of which frames are decoded one after the other, in the
// order of showing. It belongs to one goroutine.
type Video struct {
	a         semblance.Analysis
	info      C.sem_video_info
	v         *C.sem_video
	limits    semblance.Limits
	clock     videoClock
	frames    int
	damaged   int
	ended     bool
	keyframes bool
	tracks    movieTracks // of an image sequence
	heard     []soundEnd
	rgb       []byte
	gray      [graySize]byte
}

// VideoOptions say how a video is decoded.
type VideoOptions struct {
	Threads   int           // 0 is one
	Keyframes bool          // skip every frame that needs another
	Left      time.Duration // after which nothing more is read; 0: no limit
}

// OpenVideo reads a video's headers and opens its decoder. The file is read with pread
// until Close.
//
// The error has code MediaUnsupported (no video stream, or one of a codec that is not
// known), MediaTooLarge, MediaDamaged, Internal (the file cannot be read), Timeout or
// Unavailable (FFmpeg's libraries are not installed).
func OpenVideo(f *os.File, limits semblance.Limits, o VideoOptions) (*Video, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, semblance.Errorf(semblance.Internal, "the size of the file cannot be read").WithCause(err)
	}
	head := make([]byte, min(info.Size(), SniffLen))
	if err := readFull(f, head); err != nil {
		return nil, err
	}
	version, err := VideoDecoder()
	if err != nil {
		return nil, err
	}
	v := &Video{limits: limits.WithDefaults(), a: semblance.Analysis{Type: Sniff(head), Decoder: version}, keyframes: o.Keyframes}
	if err := v.open(f, info.Size(), o); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// VideoDecoder loads FFmpeg's libraries and returns their versions.
func VideoDecoder() (string, error) {
	text := (*C.char)(C.calloc(1, textSize))
	defer C.free(unsafe.Pointer(text))
	if C.sem_video_load(text, textSize) != C.SEM_VIDEO_OK {
		return "", semblance.Errorf(semblance.Unavailable, "videos cannot be decoded here: FFmpeg's libraries are not installed (%s)", C.GoString(text)).
			WithHint("Install the package ffmpeg (on Debian 12: libavformat59, libavcodec59 and libswscale6), or leave videos out with --video none.")
	}
	return C.GoString(text), nil
}

const textSize = 256

func (v *Video) open(f *os.File, size int64, o VideoOptions) error {
	why := (*C.char)(C.calloc(1, textSize))
	defer C.free(unsafe.Pointer(why))
	var track uint32
	if v.tracks = (motionFile{f, size}).tracks(); v.tracks.pict {
		track = v.tracks.first
	}
	code := C.sem_video_open(C.int(f.Fd()), C.int64_t(size), C.int64_t(v.limits.Pixels), C.int64_t(o.Left), C.uint(track), &v.v, &v.info, why, textSize)
	if code == C.SEM_VIDEO_OK {
		if err := v.describe(max(o.Threads, 1)); err != nil {
			return err
		}
		v.a.Metadata = v.facts()
		code = C.sem_video_start(v.v, C.int(max(o.Threads, 1)), cbool(o.Keyframes), why, textSize)
	}
	return v.failure(code, C.GoString(why))
}

func cbool(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// failure puts a code into words.
func (v *Video) failure(code C.int, why string) error {
	switch code {
	case C.SEM_VIDEO_OK:
		return nil
	case C.SEM_VIDEO_NO_VIDEO:
		what := "it has no stream at all"
		switch {
		case v.info.covers > 0:
			what = "it has a cover picture only"
		case v.info.streams > 0:
			what = "it has other streams only"
		}
		return semblance.Errorf(semblance.MediaUnsupported, "there is neither video nor sound in this file (%s): %s", v.a.Type, what).WithCause(errNoVideo)
	case C.SEM_VIDEO_NO_DECODER:
		return semblance.Errorf(semblance.MediaUnsupported, "the video is coded as %s, for which there is no decoder here", C.GoString(&v.info.codec[0]))
	case C.SEM_VIDEO_NO_MEMORY:
		return semblance.Errorf(semblance.MediaTooLarge, "decoding the video needs more memory than the limit of a worker, %d MiB", v.limits.Memory>>20)
	case C.SEM_VIDEO_TIMEOUT:
		return semblance.Errorf(semblance.Timeout, "the video could not be read on within the time that a video may take")
	case C.SEM_VIDEO_UNREADABLE:
		return semblance.Errorf(semblance.Internal, "the file cannot be read from its medium").WithCause(errors.New(why))
	}
	if why == "" {
		why = "its frames do not decode"
	}
	return damaged("the video (%s) does not open: %s", v.a.Type, strings.TrimSpace(why))
}

// describe fills in what the headers say, and refuses what is too large.
func (v *Video) describe(threads int) error {
	i := &v.info
	v.a.Width, v.a.Height = int(i.width), int(i.height)
	length := time.Duration(i.duration)
	v.a.Video = &semblance.Video{Format: C.GoString(&i.format[0]), Codec: C.GoString(&i.codec[0]), Duration: length, Rotation: int(i.rotation)}
	if i.rate_num > 0 {
		v.a.Video.Rate = float64(i.rate_num) / float64(i.rate_den)
		v.clock.step = time.Duration(float64(time.Second) / v.a.Video.Rate)
	} else {
		v.clock.step = time.Second / 25
	}
	videos := int(i.videos)
	if v.tracks.pict {
		videos = v.tracks.main
	}
	if videos > 1 {
		v.warn("the first of %d video streams is examined", videos)
	}
	if i.covers > 0 {
		v.warn("the cover picture in the file is not examined")
	}
	if v.a.Width == 0 || v.a.Height == 0 {
		return damaged("the header of the video gives a size of %d by %d pixels", v.a.Width, v.a.Height)
	}
	pixels := int64(v.a.Width) * int64(v.a.Height)
	if pixels > v.limits.Pixels || max(v.a.Width, v.a.Height) > hashing.MaxSide {
		return semblance.Errorf(semblance.MediaTooLarge, "the video is %d by %d pixels, and the limit is %d pixels", v.a.Width, v.a.Height, v.limits.Pixels).
			WithHint("Raise the limit on pixels if the video is wanted and the worker has the memory.")
	}
	// A decoder keeps up to 17 frames of one and a half to three bytes a pixel, and one
	// for each thread.
	if need := pixels * 3 / 2 * int64(18+threads); need > v.limits.Memory {
		return semblance.Errorf(semblance.MediaTooLarge, "decoding the video of %d by %d pixels takes about %d MiB, and the limit of a worker is %d MiB",
			v.a.Width, v.a.Height, need>>20, v.limits.Memory>>20).WithHint("Raise the limit on memory if the video is wanted.")
	}
	return nil
}

// What is kept of the words of a container.
const (
	maxTags   = 64
	maxAudios = 16
	tagSize   = 1024
)

// facts reads the tags and what is said of sound.
func (v *Video) facts() semblance.Metadata {
	buffer := (*C.char)(C.calloc(1, 2*tagSize))
	defer C.free(unsafe.Pointer(buffer))
	name, value := buffer, (*C.char)(unsafe.Add(unsafe.Pointer(buffer), tagSize))
	facts := &semblance.VideoFacts{}
	for stream := range 2 {
		for i := 0; len(facts.Tags) < maxTags && C.sem_video_tag(v.v, C.int(stream), C.int(i), name, tagSize, value, tagSize) != 0; i++ {
			facts.Tags = append(facts.Tags, semblance.VideoTag{Name: C.GoString(name), Value: C.GoString(value), Stream: stream == 1})
		}
	}
	var a C.sem_audio_info
	for i := 0; i < maxAudios && C.sem_video_audio(v.v, C.int(i), &a) != 0; i++ {
		facts.Audio = append(facts.Audio, semblance.AudioStream{Codec: C.GoString(&a.codec[0]), Channels: int(a.channels), Rate: int(a.rate), Duration: time.Duration(a.duration),
			BitRate: int64(a.bit_rate), Language: C.GoString(&a.language[0]), Title: C.GoString(&a.title[0])})
	}
	m := ofTags(facts.Tags)
	m.Video = facts
	return m
}

func (v *Video) warn(format string, args ...any) {
	if len(v.a.Warnings) < maxWarnings {
		v.a.Warnings = append(v.a.Warnings, fmt.Sprintf(format, args...))
	}
}

// Next decodes the next frame. ok is false at the end, of which Describe then tells
// whether it was the video's. The error is MediaTooLarge, MediaDamaged or Timeout.
func (v *Video) Next() (frame VideoFrame, ok bool, err error) {
	var f C.sem_video_frame
	for {
		switch code := C.sem_video_next(v.v, &f); code {
		case C.SEM_VIDEO_OK:
		case C.SEM_VIDEO_END:
			v.ended = true
			return frame, false, nil
		default:
			return frame, false, v.failure(code, "")
		}
		if f.width > 0 && f.height > 0 {
			break
		}
	}
	if f.damaged != 0 {
		v.damaged++
	}
	frame = VideoFrame{Index: v.frames, Time: v.clock.at(int64(f.pts), f.has_pts != 0), Length: time.Duration(f.duration), Key: f.key != 0,
		Width: int(f.width), Height: int(f.height)}
	frame.Shown = frame.Time
	if f.has_pts != 0 && v.info.has_start != 0 {
		frame.Shown = time.Duration(f.pts - v.info.start)
	}
	v.frames++
	return frame, true, nil
}

// Pixels returns the present frame at its own size, as it is stored, valid until the
// next call of Pixels or Small.
func (v *Video) Pixels(f VideoFrame) (hashing.Pixels, error) {
	return v.convert(f.Width, f.Height, 0)
}

// Small returns the present frame as 64 by 64 pixels, upright, as the reference of TMK
// gets it from ffmpeg. Turning the small picture is turning the large one: it is square.
func (v *Video) Small() (hashing.Pixels, error) {
	p, err := v.convert(hashing.TMKSide, hashing.TMKSide, 1)
	if err == nil && v.info.rotation != 0 {
		turnSquare(p, int(v.info.rotation))
	}
	return p, err
}

// Gray returns how bright the present frame is, in the grid that a Looker wants, valid
// until the next call.
func (v *Video) Gray() ([]byte, error) {
	code := C.sem_video_gray(v.v, (*C.uint8_t)(unsafe.Pointer(&v.gray[0])), grayColumns, grayRows)
	if code == C.SEM_VIDEO_DAMAGED {
		return nil, damaged("a frame of the video cannot be converted to gray")
	}
	return v.gray[:], v.failure(code, "")
}

// Looker returns what chooses the frames that are looked at closely, at most so many.
func (v *Video) Looker(most int) *Looker { return NewLooker(most, v.a.Video.Duration) }

// Orientation is the EXIF orientation that means the same as the video's turn.
func (v *Video) Orientation() int {
	switch v.info.rotation {
	case 90:
		return 6
	case 180:
		return 3
	case 270:
		return 8
	}
	return 0
}

func (v *Video) convert(width, height int, smooth C.int) (hashing.Pixels, error) {
	if int64(width)*int64(height) > v.limits.Pixels || max(width, height) > hashing.MaxSide {
		return hashing.Pixels{}, semblance.Errorf(semblance.MediaTooLarge, "a frame of the video is %d by %d pixels, and the limit is %d pixels", width, height, v.limits.Pixels)
	}
	const room = 64
	p := hashing.Pixels{Width: width, Height: height, Stride: (3*width+room-1)/room*room + room, Channels: 3}
	if need := p.Stride*height + room; cap(v.rgb) < need {
		v.rgb = make([]byte, need)
	}
	p.Pix = v.rgb[:p.Stride*height]
	code := C.sem_video_rgb(v.v, (*C.uint8_t)(unsafe.SliceData(v.rgb)), C.int(p.Stride), C.int(width), C.int(height), smooth)
	if code == C.SEM_VIDEO_DAMAGED {
		return p, damaged("a frame of the video cannot be converted to RGB")
	}
	return p, v.failure(code, "")
}

// A Sampler chooses the frames of a vPDQ by the time they are shown: those of the first
// three seconds, and then one in each second.
type Sampler struct{ sampler }

// EveryFrame returns a Sampler that takes all of them.
func EveryFrame() Sampler { return Sampler{sampler{all: true}} }

// Take reports whether a frame is to be taken.
func (s *Sampler) Take(f VideoFrame) bool { return s.take(f.Time) }

// Pacer returns what chooses the frames of a TMK.
func (v *Video) Pacer() *Pacer {
	p := &Pacer{pacer{rate: hashing.TMKFramesPerSecond, length: 1}}
	if v.a.Video.Rate > 0 {
		p.length = hashing.TMKFramesPerSecond / v.a.Video.Rate
	}
	return p
}

// A Pacer chooses frames of a constant rate as ffmpeg does.
type Pacer struct{ pacer }

// Frames tells how often a frame is taken, and how many of these are the frame taken
// before it instead.
func (p *Pacer) Frames(f VideoFrame) (times, before int) { return p.frames(f.Shown, f.Length) }

// End tells how often the last frame is taken once more at the end.
func (p *Pacer) End() int { return p.end() }

// Describe returns what is known so far; after the last frame, whether it was all.
func (v *Video) Describe() semblance.Analysis {
	a := v.a
	video := *v.a.Video
	a.Video, a.Warnings, a.Frames = &video, append([]string(nil), v.a.Warnings...), v.frames
	video.Seen = v.clock.last
	if v.clock.missing > 0 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("%d frames have no time; theirs is reckoned from the frame rate", v.clock.missing))
	}
	if v.clock.jumps > 0 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("the times of frames run back or away in %d places; they are reckoned on from there", v.clock.jumps))
	}
	if v.ended {
		v.judge(&a)
	}
	return a
}

// judge says whether the end that was reached is the video's.
func (v *Video) judge(a *semblance.Analysis) {
	var bad C.int64_t
	var readError, short, beyond C.int
	C.sem_video_counts(v.v, &bad, &readError, &short, &beyond)
	seen, length := v.clock.last+v.clock.step, a.Video.Duration
	missing := length > 0 && v.clock.jumps == 0 && !v.keyframes && seen+max(2*time.Second, length/50) < length
	if missing && (v.info.own_duration != 0 || int(v.info.streams) == int(v.info.videos+v.info.covers)+len(v.heard)) { // no subtitles are what lasts longer
		v.soundCut(a)
	}
	switch {
	case readError != 0:
		a.Partial = fmt.Sprintf("the file cannot be read from its medium after %s of the video", brief(seen))
	case short != 0:
		a.Partial = fmt.Sprintf("the file became shorter while it was read, after %s of the video", brief(seen))
	case beyond != 0:
		a.Partial = fmt.Sprintf("truncated: what the index puts behind %s lies behind the end of the file", brief(seen))
	case missing && v.info.own_duration != 0:
		a.Partial = fmt.Sprintf("%s after %s of %s", cut(bad == 0), brief(seen), brief(length))
	case bad > 0 || v.damaged > 0:
		a.Partial = fmt.Sprintf("damaged: %d of %d frames have errors, and %d packets did not decode", v.damaged, v.frames, int64(bad))
	case missing:
		a.Partial = fmt.Sprintf("the video ends after %s, and the file lasts %s by its header: it is cut, or its sound is longer", brief(seen), brief(length))
	}
}

// brief writes a time for a reader.
func brief(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }

// Close frees the decoder.
func (v *Video) Close() error {
	C.sem_video_close(v.v)
	v.v = nil
	return nil
}
