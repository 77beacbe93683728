package worker

import (
	"os"

	"semblance"
)

// limits fills the zero fields of a request's limits from the pool's.
func (p *Pool) limits(l semblance.Limits) semblance.Limits {
	d := p.opts.Limits
	fill := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		}
	}
	fill(&l.Bytes, d.Bytes)
	fill(&l.Pixels, d.Pixels)
	fill(&l.Memory, d.Memory)
	fill((*int64)(&l.Deadline), int64(d.Deadline))
	fill((*int64)(&l.CPU), int64(d.CPU))
	if l.Frames == 0 {
		l.Frames = d.Frames
	}
	if l.Faces == 0 {
		l.Faces = d.Faces
	}
	fill(&l.VideoBytes, d.VideoBytes)
	fill((*int64)(&l.VideoDeadline), int64(d.VideoDeadline))
	fill((*int64)(&l.VideoCPU), int64(d.VideoCPU))
	if l.VideoFrames == 0 {
		l.VideoFrames = d.VideoFrames
	}
	if l.VideoLooks == 0 {
		l.VideoLooks = d.VideoLooks
	}
	if l.VideoFaces == 0 {
		l.VideoFaces = d.VideoFaces
	}
	l.Memory = min(l.Memory, d.Memory)
	return l
}

// The most a request can ask for: more would not fit an answer.
const (
	mostFrames = 1024
	mostFaces  = 10000

	mostVideoFrames = 600_000 // a week at a frame a second; 48 bytes each
	mostVideoLooks  = 100_000
)

func checkRequest(r *semblance.AnalyzeRequest, known semblance.EngineSet) error {
	for _, a := range r.Hashes {
		if !a.IsPerceptual() {
			return semblance.Errorf(semblance.Invalid, "%q is not a perceptual hash", string(a))
		}
	}
	for _, a := range r.Videos {
		if !a.IsVideo() {
			return semblance.Errorf(semblance.Invalid, "%q is not a signal of videos", string(a))
		}
	}
	if r.Selectors != nil && r.Selectors.Country != "" && len(r.Selectors.Country) != 2 {
		return semblance.Errorf(semblance.Invalid, "%q is not a country", r.Selectors.Country)
	}
	for _, e := range Engines(r) {
		if _, err := known.ByName(e); err != nil {
			return err
		}
	}
	if err := r.Detection.Validate(); err != nil {
		return err
	}
	l := r.Limits
	switch {
	case r.Thumbnail < 0 || r.Thumbnail > maxThumb:
		return semblance.Errorf(semblance.Invalid, "a thumbnail of %d pixels cannot be made; it is 0 to %d", r.Thumbnail, maxThumb)
	case r.Pictures < 0 || r.Pictures > maxPictureSide:
		return semblance.Errorf(semblance.Invalid, "frames of %d pixels cannot be given back; it is 0 to %d", r.Pictures, maxPictureSide)
	case len(r.Providers) > 0:
		return semblance.Errorf(semblance.Invalid, "a worker asks no providers")
	case l.Frames < 1 || l.Frames > mostFrames:
		return semblance.Errorf(semblance.Invalid, "a limit of %d frames cannot be kept; it is 1 to %d", l.Frames, mostFrames)
	case l.Faces < 1 || l.Faces > mostFaces:
		return semblance.Errorf(semblance.Invalid, "a limit of %d faces cannot be kept; it is 1 to %d", l.Faces, mostFaces)
	case l.VideoFrames < 1 || l.VideoFrames > mostVideoFrames:
		return semblance.Errorf(semblance.Invalid, "a limit of %d frames of a video cannot be kept; it is 1 to %d", l.VideoFrames, mostVideoFrames)
	case l.VideoLooks < 1 || l.VideoLooks > mostVideoLooks:
		return semblance.Errorf(semblance.Invalid, "a limit of %d frames that are looked at for faces cannot be kept; it is 1 to %d", l.VideoLooks, mostVideoLooks)
	case l.VideoFaces < 1 || l.VideoFaces > mostFaces:
		return semblance.Errorf(semblance.Invalid, "a limit of %d faces of a video cannot be kept; it is 1 to %d", l.VideoFaces, mostFaces)
	case l.Bytes < 0 || l.Pixels < 0 || l.Deadline < 0 || l.CPU < 0 || l.VideoBytes < 0 || l.VideoDeadline < 0 || l.VideoCPU < 0:
		return semblance.Errorf(semblance.Invalid, "a limit cannot be negative")
	case l.Memory < minMemory:
		return semblance.Errorf(semblance.Invalid, "%d bytes of memory are not enough for a worker; it needs %d", l.Memory, int64(minMemory))
	}
	return nil
}

// mostBytes is how large a file may be, before it is known what it is.
func mostBytes(r *semblance.AnalyzeRequest) int64 {
	if len(r.Videos) > 0 {
		return max(r.Limits.Bytes, r.Limits.VideoBytes)
	}
	return r.Limits.Bytes
}

// checkFile refuses before any child is asked what no child can answer.
func checkFile(f *os.File, most int64) error {
	info, err := f.Stat()
	if err != nil {
		return semblance.Errorf(semblance.Internal, "the file cannot be looked at").WithCause(err)
	}
	switch {
	case !info.Mode().IsRegular():
		return semblance.Errorf(semblance.Invalid, "this is not a regular file").
			WithHint("Devices, pipes and folders are copied into a file first.")
	case info.Size() > most:
		return semblance.Errorf(semblance.MediaTooLarge, "the file has %s, over the limit of %s", megabytes(info.Size()), megabytes(most)).
			WithHint("Raise the limit on bytes if such files are expected.")
	}
	return nil
}
