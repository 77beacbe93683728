package worker_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"os"
	"semblance"
	"semblance/hashing"
	"semblance/worker"
)

func videoRequest() semblance.AnalyzeRequest {
	return semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ}, Videos: hashing.VideoAlgorithms()}
}

// TestAVideoHasItsOwnTime gives pictures no time at all, and a video enough.
func TestAVideoHasItsOwnTime(t *testing.T) {
	t.Parallel()
	limits := semblance.Limits{Deadline: 200 * time.Millisecond, VideoDeadline: time.Minute, VideoFrames: 5}
	p := open(t, func(o *worker.Options) { o.Limits = limits.WithDefaults() })
	a, err := analyze(t, p, "video slow", videoRequest())
	if err != nil || !a.IsVideo() || len(a.Signals) != 4 || a.Signal(hashing.AlgorithmTMK) == nil || len(a.Hashes) != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := analyze(t, p, "hang", videoRequest()); !errors.Is(err, semblance.Timeout) || !strings.Contains(err.Error(), "200ms") {
		t.Errorf("a picture took a video's time: %v", err)
	}
	req := videoRequest()
	req.Limits = semblance.Limits{VideoDeadline: 300 * time.Millisecond}
	if _, err := analyze(t, p, "video hang", req); !errors.Is(err, semblance.Timeout) || !strings.Contains(err.Error(), "300ms") {
		t.Errorf("%v", err)
	}
	// Who does not ask for videos gets what the picture's side says.
	if _, err := analyze(t, open(t), "video ok", semblance.AnalyzeRequest{}); err == nil {
		t.Error("nobody asked for a video")
	}
}

func TestVideoAnswersThatNoHonestChildGives(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"video picture", "video missing", "video cut", "video hashes", "video time", "video turned", "video lying", "video shown", "video frames", "sneak",
		"video sound pixels", "video sound digest", "video sound nothing", "video sound reader"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			req := videoRequest()
			req.Limits.VideoFrames = 5
			if _, err := analyze(t, open(t), how, req); !errors.Is(err, semblance.Internal) || !strings.Contains(err.Error(), "not a valid one") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestSoundAlone is an answer to what looks like a video.
func TestSoundAlone(t *testing.T) {
	t.Parallel()
	a, err := analyze(t, open(t), "video sound", videoRequest())
	if err != nil || !a.IsSound() || a.IsVideo() || a.IsText() || a.Plain {
		t.Fatalf("%+v, %v", a, err)
	}
	if s := a.Metadata.Video.Audio[0]; s.Codec != "aac" || s.Language != "n d" || s.SHA256 == nil || s.Packets != 3 {
		t.Errorf("%+v", s)
	}
}

// TestFacesOfAVideo gives faces, a contact sheet and what the container says.
func TestFacesOfAVideo(t *testing.T) {
	t.Parallel()
	req := videoRequest()
	req.Engine, req.Crops, req.Thumbnail = semblance.DefaultEngine, true, 256
	a, err := analyze(t, open(t), "video ok", req)
	if err != nil {
		t.Fatal(err)
	}
	set, ran := a.Faces(semblance.DefaultEngine)
	if !ran || len(set.Faces) != 1 || set.Faces[0].Appearance.Until != 1 || a.Video.Sheet == nil || len(a.Video.Sheet.JPEG) == 0 || len(a.Thumbnail) == 0 {
		t.Errorf("%+v, %+v", set, a.Video)
	}
	if f := a.Metadata.Video; f.Tags[0].Value != "test" || f.Audio[0].Channels != 0 {
		t.Errorf("%+v", f)
	}
	for _, how := range []string{"no-appearance", "appearance-order", "appearance-nan", "appearance-frames", "many-faces", "nobody-looked", "looks", "no-face-set",
		"sheet-times", "sheet-cells", "sheet-late", "sheet-jpeg", "tags"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			req := req
			req.Limits.VideoFaces = 5
			if _, err := analyze(t, open(t), "video "+how, req); !errors.Is(err, semblance.Internal) || !strings.Contains(err.Error(), "not a valid one") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := analyze(t, open(t), "video sheet-unasked", videoRequest()); !errors.Is(err, semblance.Internal) {
		t.Errorf("a contact sheet that nobody asked for: %v", err)
	}
}

func TestVideoRequestsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	p := open(t)
	for _, req := range []semblance.AnalyzeRequest{
		{Videos: []hashing.Algorithm{hashing.AlgorithmPDQ}},
		{Hashes: []hashing.Algorithm{hashing.AlgorithmVPDQ}},
		{Limits: semblance.Limits{VideoFrames: -1}},
		{Limits: semblance.Limits{VideoFrames: 1 << 30}},
		{Limits: semblance.Limits{VideoCPU: -1}},
		{Limits: semblance.Limits{VideoLooks: -1}},
		{Limits: semblance.Limits{VideoLooks: 1 << 30}},
		{Limits: semblance.Limits{VideoFaces: -1}},
	} {
		if _, err := analyze(t, p, "ok", req); !errors.Is(err, semblance.Invalid) {
			t.Errorf("%+v: %v", req, err)
		}
	}
	if s := p.Stats(); s.Started != 0 {
		t.Errorf("%+v", s)
	}
}

// film makes a video with ffmpeg.
func film(t *testing.T, name string, args ...string) *os.File {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed: no videos can be made to test with")
	}
	path := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command(program, append(append([]string{"-nostdin", "-loglevel", "error"}, args...), path)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestRealWorkerHashesAVideoInItsCage(t *testing.T) {
	t.Parallel()
	p := real(t)
	f := film(t, "v.mkv", "-f", "lavfi", "-i", "testsrc2=r=10:d=90:s=160x120", "-c:v", "libx264", "-g", "50")
	a, err := p.Analyze(t.Context(), f, videoRequest())
	if err != nil {
		t.Fatalf("%v, cause %v", err, errors.Unwrap(err))
	}
	v, err := hashing.ParseVPDQBinary(a.Signal(hashing.AlgorithmVPDQ).Value)
	if err != nil || len(v) != 30+87 || v[34].Time.Round(time.Millisecond) != 7*time.Second || v[34].Frame != 70 || v[34].Quality == 0 {
		t.Errorf("%d frames, %+v, %v", len(v), v[min(34, len(v)-1)], err)
	}
	k, err := hashing.ParseVPDQBinary(a.Signal(hashing.AlgorithmVPDQKeyframes).Value)
	if err != nil || len(k) < 18 {
		t.Errorf("%d keyframes, %v", len(k), err)
	}
	tmk, err := hashing.ParseTMK(a.Signal(hashing.AlgorithmTMK).Value)
	if err != nil || tmk.Frames < 1349 || tmk.Frames > 1351 {
		t.Errorf("TMK of %d frames, %v", tmk.Frames, err)
	}
	if a.Type != "video/x-matroska" || a.Partial != "" || a.Frames != 900 || a.Video.Codec != "h264" || a.Width != 160 {
		t.Errorf("%+v, %+v", a, a.Video)
	}
}

// TestRealWorkerHashesAVideoAsItIsShown: the second signal of a video that is stored lying is
// the first one of a video whose pixels were turned, and the mirrored one that of a video whose
// pixels were mirrored besides.
func TestRealWorkerHashesAVideoAsItIsShown(t *testing.T) {
	t.Parallel()
	p := real(t)
	analyze := func(f *os.File) (semblance.Analysis, map[hashing.Algorithm]hashing.VPDQ) {
		t.Helper()
		a, err := p.Analyze(t.Context(), f, videoRequest())
		if err != nil {
			t.Fatal(err)
		}
		got := map[hashing.Algorithm]hashing.VPDQ{}
		for _, s := range a.Signals {
			if s.Algorithm.IsVPDQ() {
				if got[s.Algorithm], err = hashing.ParseVPDQBinary(s.Value); err != nil {
					t.Fatal(err)
				}
			}
		}
		return a, got
	}
	plain := film(t, "plain.mp4", "-f", "lavfi", "-i", "mandelbrot=s=160x120:r=15:end_scale=0.003", "-t", "4", "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p")
	for _, degrees := range []string{"0", "90", "180", "270"} {
		lying := film(t, "lying.mp4", "-i", plain.Name(), "-c", "copy", "-metadata:s:v:0", "rotate="+degrees)
		a, got := analyze(lying)
		_, turned := analyze(film(t, "turned.mp4", "-i", lying.Name(), "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p"))
		_, mirrored := analyze(film(t, "mirrored.mp4", "-i", lying.Name(), "-vf", "hflip", "-c:v", "libx264", "-qp", "0", "-pix_fmt", "yuv420p"))
		stored, shown, want := got[hashing.AlgorithmVPDQ], got[hashing.AlgorithmVPDQUpright], turned[hashing.AlgorithmVPDQ]
		for i, f := range got[hashing.AlgorithmVPDQMirrored] {
			if m := mirrored[hashing.AlgorithmVPDQ]; len(m) != len(stored) || f.Hash.Distance(m[i].Hash) > 12 {
				t.Errorf("turned by %d: frame %d is not that of the mirrored video", a.Video.Rotation, f.Frame)
			}
		}
		if len(got[hashing.AlgorithmVPDQMirrored]) != len(stored) {
			t.Errorf("turned by %d: %d of %d frames mirrored", a.Video.Rotation, len(got[hashing.AlgorithmVPDQMirrored]), len(stored))
		}
		if degrees == "0" {
			continue
		}
		if a.Video.Rotation == 0 || turned[hashing.AlgorithmVPDQUpright] != nil || len(shown) != len(want) || len(stored) != len(shown) || len(shown) < 40 {
			t.Fatalf("turned by %d: %d frames, %d as shown, %d of the turned video", a.Video.Rotation, len(stored), len(shown), len(want))
		}
		for i, f := range shown {
			if d := f.Hash.Distance(want[i].Hash); d > 12 || f.Time != want[i].Time || f.Quality != stored[i].Quality {
				t.Errorf("turned by %d: frame %d at %v is %d bits from the turned one at %v", a.Video.Rotation, f.Frame, f.Time, d, want[i].Time)
			}
		}
	}
}

// TestRealWorkerSaysWhatItLeftOut meets each limit of a video.
func TestRealWorkerSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	p := real(t)
	f := film(t, "v.mp4", "-f", "lavfi", "-i", "testsrc2=r=10:d=100:s=320x240", "-c:v", "mpeg4")
	for _, tt := range []struct {
		name   string
		limits semblance.Limits
		want   string // of Partial
		code   semblance.Code
	}{
		{"frames", semblance.Limits{VideoFrames: 7}, "7 frames are hashed", ""},
		{"processor time", semblance.Limits{VideoCPU: time.Nanosecond * 10, VideoDeadline: time.Minute}, "", semblance.Timeout},
		{"time", semblance.Limits{VideoDeadline: time.Minute, VideoCPU: 130 * time.Millisecond}, "limit on the processor time", ""},
		{"bytes", semblance.Limits{Bytes: 100, VideoBytes: 1000}, "", semblance.MediaTooLarge},
		{"pixels", semblance.Limits{Pixels: 1000}, "", semblance.MediaTooLarge},
	} {
		req := semblance.AnalyzeRequest{Videos: []hashing.Algorithm{hashing.AlgorithmVPDQ}, Limits: tt.limits}
		a, err := p.Analyze(t.Context(), f, req)
		if tt.name == "processor time" || tt.name == "time" {
			// Which side ends it depends on the machine; that something is said does not.
			if err == nil && !strings.Contains(a.Partial, "processor time") || err != nil && semblance.CodeOf(err) != semblance.Timeout {
				t.Errorf("%s: %q, %v", tt.name, a.Partial, err)
			}
			continue
		}
		if semblance.CodeOf(err) != tt.code || !strings.Contains(a.Partial, tt.want) || tt.want != "" && a.Partial == "" {
			t.Errorf("%s: %q, %v", tt.name, a.Partial, err)
		}
	}
}

func TestRealWorkerDescribesSound(t *testing.T) {
	t.Parallel()
	p := real(t)
	for _, name := range []string{"sound.mp4", "sound.mp3", "sound.wav", "sound.flac"} {
		a, err := p.Analyze(t.Context(), film(t, name, "-f", "lavfi", "-i", "sine=d=1"), videoRequest())
		if err != nil || !a.IsSound() || len(a.Metadata.Video.Audio) != 1 || a.Metadata.Video.Audio[0].SHA256 == nil || len(a.Signals)+len(a.Hashes) > 0 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	req := videoRequest()
	req.Videos = nil
	if _, err := p.Analyze(t.Context(), film(t, "x.mp3", "-f", "lavfi", "-i", "sine=d=1"), req); !errors.Is(err, semblance.MediaUnsupported) || !strings.Contains(err.Error(), "audio/mpeg") {
		t.Errorf("where videos are not examined: %v", err)
	}
	r, err := p.Report(t.Context())
	if err != nil || !r.Video.Works {
		t.Errorf("%+v, %v", r.Video, err)
	}
}
