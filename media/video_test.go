//go:build cgo && native

package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/media"
)

// record makes a video with ffmpeg.
func record(t testing.TB, name string, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed: no videos can be made to test with")
	}
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.Command(program, append(append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...), path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg %v: %v: %s", args, err, out)
	}
	return path
}

func openVideo(t testing.TB, path string, limits semblance.Limits, keyframes bool) (*media.Video, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	v, err := media.OpenVideo(f, limits, media.VideoOptions{Keyframes: keyframes})
	if err == nil {
		t.Cleanup(func() { v.Close() })
	}
	return v, err
}

// watch decodes a whole video.
func watch(t testing.TB, path string, keyframes bool, each func(*media.Video, media.VideoFrame)) semblance.Analysis {
	t.Helper()
	v, err := openVideo(t, path, semblance.Limits{}, keyframes)
	if err != nil {
		t.Fatal(err)
	}
	for {
		f, ok, err := v.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return v.Describe()
		}
		if each != nil {
			each(v, f)
		}
	}
}

// TestUpstreamVideos makes the signals of upstream's videos, and compares them with
// upstream's files: frames with a distance under 31 where the quality is 50 and more,
// vectors of TMK with a relative error of at most 0.08.
func TestUpstreamVideos(t *testing.T) {
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	videos, _ := filepath.Glob(filepath.Join(dir, "video/tmk-sample-videos/*.mp4"))
	if dir == "" || len(videos) == 0 {
		t.Skip("SEMBLANCE_TESTDATA with upstream's videos is not set")
	}
	for _, path := range videos {
		name := strings.TrimSuffix(filepath.Base(path), ".mp4")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var frames hashing.VPDQ
			maker := hashing.NewTMKMaker()
			var pacer *media.Pacer
			watch(t, path, false, func(v *media.Video, f media.VideoFrame) {
				frames = append(frames, hashed(t, v, f))
				if pacer == nil {
					pacer = v.Pacer()
				}
				times, _ := pacer.Frames(f)
				for range times {
					small, err := v.Small()
					if err == nil {
						err = maker.Add(small)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			})
			compareVPDQ(t, frames, filepath.Join(dir, "video/vpdq-sample-hashes", name+".txt"))
			compareTMK(t, maker.Finish(), filepath.Join(dir, "video/tmk-sample-hashes", name+".tmk"))
		})
	}
}

// hashed is a frame with its PDQ.
func hashed(t testing.TB, v *media.Video, f media.VideoFrame) hashing.VPDQFrame {
	t.Helper()
	p, err := v.Pixels(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := hashing.Compute(p, hashing.Options{PDQ: true})
	if err != nil {
		t.Fatal(err)
	}
	return hashing.VPDQFrame{Frame: f.Index, Time: f.Time, Quality: r.PDQ.Quality, Hash: r.PDQ.Hash}
}

func compareVPDQ(t *testing.T, got hashing.VPDQ, path string) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	want, err := hashing.ParseVPDQ(text)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d frames, upstream has %d, %v", len(got), len(want), err)
	}
	sum, most := 0, 0
	for i, w := range want {
		d := got[i].Hash.Distance(w.Hash)
		if w.Quality >= hashing.PDQMinQuality && d >= 31 || got[i].Frame != w.Frame || (got[i].Time-w.Time).Abs() > 2*time.Millisecond {
			t.Errorf("frame %d at %v is %d bits from upstream's at %v", got[i].Frame, got[i].Time, d, w.Time)
		}
		sum, most = sum+d, max(most, d)
	}
	t.Logf("vPDQ: %d frames, %d bits differ in all, %d at most in one frame", len(got), sum, most)
}

func compareTMK(t *testing.T, got *hashing.TMK, path string) {
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	b, _ := got.MarshalBinary()
	const head = 48
	if err != nil || !bytes.Equal(b[:head], want[:head]) {
		t.Fatalf("the head differs: %d frames, %v", got.Frames, err)
	}
	different := 0
	for i := head; i < len(want); i += 4 {
		x, y := float(b[i:]), float(want[i:])
		if x != y {
			different++
		}
		if m := max(math.Abs(x), math.Abs(y)); m > 0 && math.Abs(x-y)/m > 0.08 {
			t.Errorf("number %d is %v, upstream has %v", (i-head)/4, x, y)
		}
	}
	t.Logf("TMK: %d frames, %d of %d numbers differ", got.Frames, different, (len(want)-head)/4)
}

func float(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }

// TestPacedAsFFmpeg compares the frames chosen for a TMK with those that ffmpeg gives,
// of a rate that does not divide and of one that varies.
func TestPacedAsFFmpeg(t *testing.T) {
	for name, args := range map[string][]string{
		"24.mp4":      {"-f", "lavfi", "-i", "testsrc2=r=24:d=6:s=96x96"},
		"29.97.mkv":   {"-f", "lavfi", "-i", "testsrc2=r=30000/1001:d=6:s=96x96"},
		"10.mp4":      {"-f", "lavfi", "-i", "testsrc2=r=10:d=6:s=96x96"},
		"varying.mkv": {"-f", "lavfi", "-i", "testsrc2=r=30:d=4:s=96x96", "-vf", "setpts='if(lt(N,60),N/30,2+(N-60)/8)/TB'", "-vsync", "vfr"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := record(t, name, append(args, "-c:v", "mpeg4", "-q:v", "2")...)
			want, err := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-i", path, "-s", "64:64", "-an", "-f", "rawvideo", "-c:v", "rawvideo",
				"-pix_fmt", "rgb24", "-r", "15", "pipe:1").Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			var pacer *media.Pacer
			var last []byte
			watch(t, path, false, func(v *media.Video, f media.VideoFrame) {
				if pacer == nil {
					pacer = v.Pacer()
				}
				times, before := pacer.Frames(f)
				for range before {
					got = append(got, last...)
				}
				p, err := v.Small()
				if err != nil {
					t.Fatal(err)
				}
				last = last[:0]
				for y := range 64 {
					last = append(last, p.Pix[y*p.Stride:y*p.Stride+192]...)
				}
				for range times - before {
					got = append(got, last...)
				}
			})
			for range pacer.End() {
				got = append(got, last...)
			}
			const frame = 64 * 64 * 3
			different := 0
			for i := 0; i+frame <= min(len(got), len(want)); i += frame {
				if !bytes.Equal(got[i:i+frame], want[i:i+frame]) {
					different++
				}
			}
			if len(got) != len(want) || different > 0 {
				t.Errorf("%d frames, ffmpeg gives %d; %d differ", len(got)/frame, len(want)/frame, different)
			}
		})
	}
}

// TestVaryingRate compares times with those that ffprobe reads, where a frame's number
// says nothing of its time.
func TestVaryingRate(t *testing.T) {
	t.Parallel()
	path := record(t, "v.mkv", "-f", "lavfi", "-i", "testsrc=r=30:d=4:s=64x64", "-vf", "setpts='if(lt(N,60),N/30,2+(N-60)/4)/TB'", "-vsync", "vfr", "-c:v", "libx264", "-bf", "2")
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(out))
	var sampler media.Sampler
	n, taken := 0, 0
	a := watch(t, path, false, func(v *media.Video, f media.VideoFrame) {
		at, err := strconv.ParseFloat(strings.Trim(want[min(n, len(want)-1)], ","), 64)
		if err != nil || math.Abs(f.Time.Seconds()-at) > 0.0005 || f.Index != n {
			t.Errorf("frame %d is at %v, and ffprobe has %s, %v", n, f.Time, want[n], err)
		}
		n++
		if sampler.Take(f) { // two seconds at 30 frames a second, then four a second, of which the first second's are taken
			taken++
			if f.Time > 3*time.Second && f.Time%time.Second > time.Second/4 {
				t.Errorf("a sample at %v", f.Time)
			}
		}
	})
	if n != len(want) || n != 120 || a.Partial != "" || a.Video.Seen < 16*time.Second || a.Frames != 120 || a.Video.Codec != "h264" || taken != 60+4+14 {
		t.Errorf("%d frames, %d samples, %+v, %+v", n, taken, a, a.Video)
	}
}

func TestKeyframes(t *testing.T) {
	t.Parallel()
	path := record(t, "v.mp4", "-f", "lavfi", "-i", "testsrc2=r=10:d=12:s=128x96", "-c:v", "libx264", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0")
	whole := map[time.Duration]hashing.PDQ{}
	hash := func(v *media.Video, f media.VideoFrame) hashing.PDQ {
		return hashed(t, v, f).Hash
	}
	watch(t, path, false, func(v *media.Video, f media.VideoFrame) {
		if f.Key {
			whole[f.Time] = hash(v, f)
		}
	})
	n := 0
	a := watch(t, path, true, func(v *media.Video, f media.VideoFrame) {
		n++
		if h, ok := whole[f.Time]; !ok || h != hash(v, f) || !f.Key {
			t.Errorf("the keyframe at %v is another one", f.Time)
		}
	})
	if n != 5 || len(whole) != 5 || a.Partial != "" {
		t.Errorf("%d keyframes of %d, %q", n, len(whole), a.Partial)
	}
}

func TestVideosThatAreNone(t *testing.T) {
	t.Parallel()
	sound := []string{"-f", "lavfi", "-i", "sine=d=1"}
	film := record(t, "film.mp4", "-f", "lavfi", "-i", "testsrc2=r=10:d=20:s=128x96", "-f", "lavfi", "-i", "sine=d=20", "-c:v", "mpeg4")
	whole, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	mdat := bytes.Index(whole, []byte("mdat"))
	for _, tt := range []struct {
		name, path string
		limits     semblance.Limits
		code       semblance.Code
		want       string
	}{
		{"sound only", record(t, "s.mp4", sound...), semblance.Limits{}, semblance.MediaUnsupported, "neither video nor sound"},
		{"sound with a cover", record(t, "c.mp4", append(sound, "-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "-map", "0", "-map", "1", "-frames:v", "1", "-c:v", "mjpeg", "-disposition:v:0", "attached_pic")...),
			semblance.Limits{}, semblance.MediaUnsupported, "cover picture"},
		{"no index", file("cut.mp4", whole[:len(whole)*2/3]), semblance.Limits{}, semblance.MediaDamaged, "does not open"},
		{"nothing behind the first bytes", file("head.mp4", whole[:mdat+100]), semblance.Limits{}, semblance.MediaDamaged, "does not open"},
		{"noise behind a good first byte", file("noise.mkv", append([]byte("\x1aE\xdf\xa3"), bytes.Repeat([]byte{7, 201, 3}, 5000)...)), semblance.Limits{}, semblance.MediaDamaged, ""},
		{"larger than the limit", film, semblance.Limits{Pixels: 128 * 95}, semblance.MediaTooLarge, "128 by 96 pixels"},
		{"larger than the memory", film, semblance.Limits{Memory: 300 << 10}, semblance.MediaTooLarge, "MiB"},
		{"a list of other files", file("list.m3u8", []byte("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")), semblance.Limits{}, semblance.MediaDamaged, ""},
	} {
		_, err := openVideo(t, tt.path, tt.limits, false)
		if semblance.CodeOf(err) != tt.code || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v (%s), want %s %q", tt.name, err, semblance.CodeOf(err), tt.code, tt.want)
		}
	}
}

// TestPartOfAVideo cuts and damages videos: what is decoded is never passed off as
// whole.
func TestPartOfAVideo(t *testing.T) {
	t.Parallel()
	source := []string{"-f", "lavfi", "-i", "testsrc2=r=10:d=20:s=128x96", "-c:v", "libx264", "-g", "10"}
	for name, args := range map[string][]string{"front.mp4": {"-movflags", "+faststart"}, "m.mkv": nil, "a.avi": {"-bf", "0"}, "t.ts": nil, "f.flv": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := record(t, name, append(append([]string{}, source...), args...)...)
			if a := watch(t, path, false, nil); a.Partial != "" || a.Frames != 200 {
				t.Fatalf("whole: %d frames, %q, %q", a.Frames, a.Partial, a.Warnings)
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b := bytes.Clone(whole)
			for i := range 40 { // in the middle of the pictures
				b[len(b)/2+97*i] ^= 0x55
			}
			for what, part := range map[string][]byte{"cut": whole[:len(whole)*6/10], "damaged": b} {
				if err := os.WriteFile(path, part, 0o600); err != nil {
					t.Fatal(err)
				}
				v, err := openVideo(t, path, semblance.Limits{}, false)
				if err != nil {
					continue // an error is an answer, too
				}
				for ok := true; ok && err == nil; {
					_, ok, err = v.Next()
				}
				a := v.Describe()
				if err == nil && a.Partial == "" && !(name == "t.ts" && what == "cut") {
					t.Errorf("%s: %d frames, %v, nothing is said: %q", what, a.Frames, a.Video.Seen, a.Warnings)
				}
				t.Logf("%s: %d frames: %s %q", what, a.Frames, a.Partial, a.Warnings)
			}
		})
	}
}

// TestBrokenTimes joins two recordings whose clocks begin anew.
func TestBrokenTimes(t *testing.T) {
	t.Parallel()
	path := record(t, "a.ts", "-f", "lavfi", "-i", "testsrc2=r=10:d=5:s=128x96", "-c:v", "mpeg2video")
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(bytes.Clone(one), one...), 0o600); err != nil {
		t.Fatal(err)
	}
	last := time.Duration(-1)
	a := watch(t, path, false, func(_ *media.Video, f media.VideoFrame) {
		if f.Time < last || f.Time > last+time.Second {
			t.Errorf("frame %d is at %v, after %v", f.Index, f.Time, last)
		}
		last = f.Time
	})
	if a.Frames < 95 || last < 9*time.Second || last > 11*time.Second {
		t.Errorf("%d frames, the last at %v, %q", a.Frames, last, a.Warnings)
	}
	t.Log(a.Warnings, a.Partial)
}

func TestTenHours(t *testing.T) {
	t.Parallel()
	path := record(t, "long.mkv", "-f", "lavfi", "-i", "testsrc=r=1/10:d=36000:s=64x64", "-c:v", "mpeg4", "-g", "60")
	n := 0
	a := watch(t, path, false, func(_ *media.Video, f media.VideoFrame) { n++ })
	if n != 3600 || a.Partial != "" || a.Video.Seen < 35980*time.Second || a.Video.Duration < 35980*time.Second {
		t.Errorf("%d frames, %+v, %q", n, a.Video, a.Partial)
	}
}

// encoders are those that ffmpeg has here.
func encoders(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-hide_banner", "-encoders").Output()
	if err != nil {
		t.Skip("ffmpeg is not installed: no videos can be made to test with")
	}
	return string(out)
}
