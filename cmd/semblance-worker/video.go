//go:build cgo && native

package main

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/media"
)

// isVideo looks at the first bytes of a file, and at the boxes of a HEIC or AVIF file. What
// has sound alone is examined on the terms of a video, too.
func isVideo(f *os.File) bool {
	head := make([]byte, media.SniffLen)
	n, _ := f.ReadAt(head, 0)
	if t := media.Sniff(head[:n]); media.IsVideo(t) || media.IsSound(t) {
		return true
	}
	info, err := f.Stat()
	return err == nil && media.OnlySequence(f, info.Size())
}

// A videoAnalysis makes signals of a video while it is decoded, holding one frame.
type videoAnalysis struct {
	req    *semblance.AnalyzeRequest
	limits semblance.Limits
	looks  *videoLooks // nil: no frame is looked at
	frames hashing.VPDQ
	turned map[hashing.Algorithm]*turnedFrames // the same turned, as far as it is asked for
	tmk    *hashing.TMKMaker
	small  hashing.Pixels // copy of the frame that was last given to tmk
	sample media.Sampler
	budget budget
}

// analyzeVideo makes the signals that are asked for: in one decode those of all frames,
// in another the one of keyframes, which is the same whatever else is asked for. Faces
// are looked for in the first decode.
func (h *handler) analyzeVideo(f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	engines, err := h.finders(&req)
	if err != nil {
		return semblance.Analysis{}, err
	}
	req.Limits = req.Limits.WithDefaults()
	limits := req.Limits
	limits.Memory = h.memory.left(limits.Memory)
	b := newBudget(limits)
	values := map[hashing.Algorithm][]byte{}
	var out semblance.Analysis
	for _, keyframes := range []bool{false, true} {
		wanted := func(a hashing.Algorithm) bool {
			return slices.Contains(req.Videos, a) && (a == hashing.AlgorithmVPDQKeyframes) == keyframes
		}
		if !slices.ContainsFunc(req.Videos, wanted) {
			continue
		}
		a := &videoAnalysis{req: &req, limits: limits, budget: b}
		if wanted(hashing.AlgorithmTMK) {
			a.tmk = hashing.NewTMKMaker()
		}
		if out.Video != nil {
			engines = nil
		}
		got, err := a.decode(f, engines, media.VideoOptions{Threads: h.threads, Keyframes: keyframes, Left: b.left()}, keyframes || slices.ContainsFunc(req.Videos, func(a hashing.Algorithm) bool { return wanted(a) && a.IsVPDQ() }), out.Video == nil)
		if media.NoVideo(err) {
			return media.ReadSound(f, limits, b.left())
		}
		if err != nil {
			return out, err
		}
		if out.Video == nil {
			out = got
		} else if out.Partial == "" {
			out.Partial = got.Partial
		}
		if err := a.values(values, keyframes); err != nil {
			return out, err
		}
	}
	for _, alg := range req.Videos {
		if !out.Video.Has(alg) {
			continue
		}
		out.Signals = append(out.Signals, semblance.VideoSignal{Algorithm: alg, Value: values[alg]})
	}
	return out, nil
}

// values puts what was made into binary form.
func (a *videoAnalysis) values(values map[hashing.Algorithm][]byte, keyframes bool) (err error) {
	alg := hashing.AlgorithmVPDQ
	if keyframes {
		alg = hashing.AlgorithmVPDQKeyframes
	}
	values[alg], err = a.frames.MarshalBinary()
	for alg, t := range a.turned {
		if err == nil {
			values[alg], err = t.frames.MarshalBinary()
		}
	}
	if err == nil && a.tmk != nil {
		values[hashing.AlgorithmTMK], err = a.tmk.Finish().MarshalBinary()
	}
	return err
}

// decode goes through the video once, and looks at frames where it is the first time.
func (a *videoAnalysis) decode(f *os.File, engines []semblance.FaceFinder, o media.VideoOptions, vpdq, first bool) (semblance.Analysis, error) {
	v, err := media.OpenVideo(f, a.limits, o)
	if err != nil {
		return semblance.Analysis{}, err
	}
	defer v.Close()
	if !o.Keyframes {
		a.turn(v.Describe().Video)
	}
	if first {
		v.Sound(f, min(o.Left, a.limits.VideoDeadline/soundShare))
		a.looks = newLooks(a.req, engines, v)
	}
	out, err := a.through(v, o.Keyframes, vpdq)
	if err == nil && a.looks != nil {
		err = a.looks.finish(&out)
	}
	return out, err
}

// turnedFrames are the frames as a transform turns them.
type turnedFrames struct {
	by     hashing.Transform
	frames hashing.VPDQ
}

// turn prepares what is made of turned frames.
func (a *videoAnalysis) turn(v *semblance.Video) {
	a.turned = map[hashing.Algorithm]*turnedFrames{}
	shown := hashing.Clockwise(v.Rotation)
	for alg, by := range map[hashing.Algorithm]hashing.Transform{hashing.AlgorithmVPDQUpright: shown, hashing.AlgorithmVPDQMirrored: hashing.Mirrored(shown)} {
		if slices.Contains(a.req.Videos, alg) && v.Has(alg) {
			a.turned[alg] = &turnedFrames{by: by}
		}
	}
}

// soundShare is the part of the time of a video that the reading of its sound may take: it
// is read as fast as the file is, and the frames come behind it.
const soundShare = 5

// through decodes all frames. A failure after the first one leaves what the frames
// before it gave, and Partial says so.
func (a *videoAnalysis) through(v *media.Video, keyframes, vpdq bool) (semblance.Analysis, error) {
	if keyframes {
		a.sample = media.EveryFrame()
	}
	pacer := v.Pacer()
	for {
		frame, ok, err := v.Next()
		if err == nil && ok {
			err = a.add(v, frame, vpdq && a.sample.Take(frame))
		}
		if err == nil && ok && a.tmk != nil {
			err = a.pace(v, pacer, frame)
		}
		out := v.Describe
		switch {
		case semblance.CodeOf(err) == semblance.Timeout && out().Frames > 0:
			return stopped(out(), fmt.Sprintf("the limit on the time of a video is %s", a.limits.VideoDeadline)), nil
		case err != nil && (isOurs(err) || out().Frames == 0 || out().Frames == 1 && ok):
			return semblance.Analysis{}, err
		case err != nil:
			return partial(out(), err.Error()), nil
		case !ok && out().Frames == 0:
			return semblance.Analysis{}, nothing(out())
		case !ok:
			return out(), a.repeat(pacer.End())
		}
		if why := a.spent(frame.Index); why != "" {
			return stopped(out(), why), nil
		}
	}
}

func stopped(a semblance.Analysis, why string) semblance.Analysis {
	return partial(a, fmt.Sprintf("stopped at %s of %s: %s", a.Video.Seen.Round(time.Second), length(a.Video), why))
}

func length(v *semblance.Video) string {
	if v.Duration == 0 {
		return "unknown length"
	}
	return v.Duration.Round(time.Second).String()
}

func partial(a semblance.Analysis, why string) semblance.Analysis {
	if a.Partial == "" {
		a.Partial = why
	}
	return a
}

// nothing is the error of a video without a frame.
func nothing(a semblance.Analysis) error {
	if a.Partial != "" {
		return semblance.Errorf(semblance.MediaDamaged, "no frame of the video (%s, %s) could be decoded: %s", a.Type, a.Video.Codec, a.Partial)
	}
	return semblance.Errorf(semblance.MediaDamaged, "the video (%s, %s) has no frame: its length is zero, or nothing of it decodes", a.Type, a.Video.Codec)
}

// add makes of a frame what it is taken for; its pixels are converted once.
func (a *videoAnalysis) add(v *media.Video, f media.VideoFrame, hashed bool) (err error) {
	var looked, cut bool
	if a.looks != nil {
		if looked, cut, err = a.looks.wants(v, f); err != nil {
			return err
		}
	}
	if !hashed && !looked {
		return nil
	}
	p, err := v.Pixels(f)
	if err != nil {
		return err
	}
	if hashed {
		if err := a.hash(p, f); err != nil {
			return err
		}
	}
	if looked {
		return a.looks.look(p, f, cut)
	}
	return nil
}

// hash adds the PDQ of a frame.
func (a *videoAnalysis) hash(p hashing.Pixels, f media.VideoFrame) error {
	r, err := hashing.Compute(p, hashing.Options{PDQ: true, Turned: len(a.turned) > 0})
	if err != nil {
		return semblance.Errorf(semblance.MediaTooLarge, "a frame of the video cannot be hashed: %v", err)
	}
	a.frames = append(a.frames, hashing.VPDQFrame{Frame: f.Index, Time: f.Time, Quality: r.PDQ.Quality, Hash: r.PDQ.Hash})
	for _, t := range a.turned {
		t.frames = append(t.frames, hashing.VPDQFrame{Frame: f.Index, Time: f.Time, Quality: r.PDQ.Quality, Hash: r.PDQ.Turned[t.by]})
	}
	return nil
}

// pace gives the TMK the frames of a constant rate.
func (a *videoAnalysis) pace(v *media.Video, pacer *media.Pacer, f media.VideoFrame) error {
	times, before := pacer.Frames(f)
	if times == 0 {
		return nil
	}
	if a.small.Pix == nil {
		before = 0
	}
	if err := a.repeat(before); err != nil {
		return err
	}
	p, err := v.Small()
	if err != nil {
		return err
	}
	for range times - before {
		if err := a.tmk.Add(p); err != nil {
			return err
		}
	}
	p.Pix = append(a.small.Pix[:0], p.Pix...)
	a.small = p
	return nil
}

// repeat gives the TMK the last frame again.
func (a *videoAnalysis) repeat(times int) error {
	if a.tmk == nil || a.small.Pix == nil {
		return nil
	}
	for range times {
		if err := a.tmk.Add(a.small); err != nil {
			return err
		}
	}
	return nil
}

// spent says which limit was met. Time is looked at now and then: a look is a system
// call.
func (a *videoAnalysis) spent(frame int) string {
	if len(a.frames) >= a.limits.VideoFrames {
		return fmt.Sprintf("%d frames are hashed, the limit of a video", len(a.frames))
	}
	if frame%16 != 0 {
		return ""
	}
	return a.budget.spent()
}

// A budget is the time that a video may take in a worker. It ends before the parent's
// does, so that what was decoded is kept.
type budget struct {
	start    time.Time
	cpu      time.Duration // used by this process at the start
	limits   semblance.Limits
	fraction float64
}

func newBudget(l semblance.Limits) budget {
	return budget{start: time.Now(), cpu: cpuUsed(), limits: l, fraction: 0.9}
}

func (b budget) spent() string {
	share := func(d time.Duration) time.Duration { return time.Duration(b.fraction * float64(d)) }
	switch {
	case cpuUsed()-b.cpu > share(b.limits.VideoCPU):
		return fmt.Sprintf("the limit on the processor time of a video is %s", b.limits.VideoCPU)
	case time.Since(b.start) > share(b.limits.VideoDeadline):
		return fmt.Sprintf("the limit on the time of a video is %s", b.limits.VideoDeadline)
	}
	return ""
}

// left is the time there is until then.
func (b budget) left() time.Duration {
	return max(time.Duration(b.fraction*float64(b.limits.VideoDeadline))-time.Since(b.start), time.Nanosecond)
}

func cpuUsed() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
