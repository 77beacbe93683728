//go:build cgo && native

package media_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/media"
)

// heard is what a file says of its sound, as a video or by itself.
func heard(t testing.TB, path string) (semblance.Analysis, []semblance.AudioStream) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := media.OpenVideo(f, semblance.Limits{}, media.VideoOptions{})
	if err == nil {
		defer v.Close()
		v.Sound(f, time.Minute)
		for more := true; more && err == nil; {
			_, more, err = v.Next()
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		a := v.Describe()
		return a, a.Metadata.Video.Audio
	}
	if !media.NoVideo(err) {
		t.Fatalf("%s: %v", path, err)
	}
	a, err := media.ReadSound(f, semblance.Limits{}, time.Minute)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return a, a.Metadata.Video.Audio
}

// rushing is sound that is not silent, different for each seed.
func rushing(seed string) []string {
	return []string{"-f", "lavfi", "-i", "anoisesrc=d=3:c=pink:r=44100:a=0.5:seed=" + seed}
}

var picture = []string{"-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=3"}

func args(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// TestSameSound: the digest of sound outlives another container, another picture and
// another place in the file, and nothing else.
func TestSameSound(t *testing.T) {
	t.Parallel()
	film := record(t, "film.mp4", args(picture, rushing("7"), []string{"-c:v", "mpeg4", "-c:a", "aac", "-metadata:s:a:0", "language=nld", "-movflags", "+faststart"})...)
	a, want := heard(t, film)
	if len(want) != 1 || want[0].SHA256 == nil || want[0].Silent || want[0].Partial != "" || want[0].Language != "nld" || want[0].Codec != "aac" || want[0].Packets < 100 || want[0].BitRate < 8000 || a.Metadata.Video.Sound != semblance.SoundReader {
		t.Fatalf("%+v", want)
	}
	if traces := a.Metadata.Traces(); len(traces) != 1 || traces[0].Kind != semblance.TraceSound || !strings.EqualFold(traces[0].Value, want[0].SHA256.String()) {
		t.Errorf("traces %v", traces)
	}
	for name, how := range map[string][]string{
		"x.mkv": {"-i", film, "-c", "copy"}, "x.ts": {"-i", film, "-c:a", "copy", "-c:v", "mpeg2video", "-r", "25"}, "x.mov": {"-i", film, "-c", "copy"},
		"smaller.mp4":       {"-i", film, "-c:a", "copy", "-c:v", "mpeg4", "-s", "32x24"},
		"x.m4a":             {"-i", film, "-c:a", "copy", "-vn"},
		"x.aac":             {"-i", film, "-c:a", "copy", "-vn"},
		"other picture.mp4": args([]string{"-i", film, "-f", "lavfi", "-i", "color=red:s=32x32:r=5:d=3", "-map", "1:v", "-map", "0:a", "-c:a", "copy", "-c:v", "mpeg4"}),
	} {
		if _, got := heard(t, record(t, name, how...)); len(got) != 1 || got[0].SHA256 == nil || *got[0].SHA256 != *want[0].SHA256 || got[0].Bytes != want[0].Bytes {
			t.Errorf("%s: %+v, where the film has %+v", name, got, want)
		}
	}
	for name, how := range map[string][]string{
		"other.mp4":   args(picture, rushing("8"), []string{"-c:v", "mpeg4", "-c:a", "aac"}),
		"encoded.mp4": {"-i", film, "-c:v", "copy", "-c:a", "aac"},
		"cut.mp4":     {"-i", film, "-c", "copy", "-t", "2"},
	} {
		if _, got := heard(t, record(t, name, how...)); len(got) != 1 || got[0].SHA256 == nil || *got[0].SHA256 == *want[0].SHA256 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSilenceIsNoSameSound(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"aac", "libmp3lame", "pcm_s16le"} {
		a, got := heard(t, record(t, "silent.mkv", args(picture, []string{"-f", "lavfi", "-i", "anullsrc=d=3:r=44100", "-shortest", "-c:v", "mpeg4", "-c:a", codec})...))
		if len(got) != 1 || got[0].SHA256 == nil || !got[0].Silent || len(a.Metadata.Traces()) != 0 {
			t.Errorf("%s: %+v %v", codec, got, a.Metadata.Traces())
		}
	}
	a, got := heard(t, record(t, "mute.mp4", args(picture, []string{"-c:v", "mpeg4"})...))
	if len(got) != 0 || a.Metadata.Video.Sound != semblance.SoundReader {
		t.Errorf("without sound: %+v", a.Metadata.Video)
	}
	_, got = heard(t, record(t, "two.mkv", args(picture, rushing("1"), rushing("2"), []string{"-map", "0", "-map", "1", "-map", "2", "-c:v", "mpeg4", "-c:a", "ac3"})...))
	if len(got) != 2 || got[0].SHA256 == nil || got[1].SHA256 == nil || *got[0].SHA256 == *got[1].SHA256 {
		t.Errorf("two: %+v", got)
	}
}

func TestFilesOfSound(t *testing.T) {
	t.Parallel()
	have := encoders(t)
	for name, x := range map[string]struct {
		codec, mediaType, want string
		more                   []string
	}{
		"x.mp3":    {"libmp3lame", "audio/mpeg", "mp3", []string{"-metadata", "title=Song"}},
		"bare.mp3": {"libmp3lame", "audio/mpeg", "mp3", []string{"-write_id3v2", "0", "-write_xing", "0"}},
		"b320.mp3": {"libmp3lame", "audio/mpeg", "mp3", []string{"-write_id3v2", "0", "-b:a", "320k"}},
		"x.m4a":    {"aac", "audio/mp4", "aac", nil},
		"x.aac":    {"aac", "audio/aac", "aac", nil},
		"x.ogg":    {"libvorbis", "application/ogg", "vorbis", nil},
		"x.opus":   {"libopus", "application/ogg", "opus", nil},
		"x.wav":    {"pcm_s16le", "audio/wav", "pcm_s16le", nil},
		"x.w64":    {"pcm_s16le", "audio/x-w64", "pcm_s16le", nil},
		"x.aiff":   {"pcm_s16be", "audio/aiff", "pcm_s16be", nil},
		"x.au":     {"pcm_s16be", "audio/basic", "pcm_s16be", nil},
		"x.caf":    {"pcm_s16le", "audio/x-caf", "pcm_s16le", nil},
		"x.flac":   {"flac", "audio/flac", "flac", []string{"-metadata", "title=Song"}},
		"x.ac3":    {"ac3", "audio/ac3", "ac3", nil},
		"x.wv":     {"wavpack", "audio/x-wavpack", "wavpack", nil},
		"x.mka":    {"libopus", "video/x-matroska", "opus", nil},
		"x.wma":    {"wmav2", "video/x-ms-asf", "wmav2", nil},
		"x.amr":    {"libopencore_amrnb", "audio/amr", "amr_nb", []string{"-ar", "8000", "-ac", "1", "-b:a", "12.2k"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(have, " "+x.codec+" ") {
				t.Skipf("ffmpeg has no encoder %s", x.codec)
			}
			a, got := heard(t, record(t, name, args(rushing("3"), []string{"-c:a", x.codec}, x.more)...))
			if a.Type != x.mediaType || !a.IsSound() || a.IsVideo() || a.Partial != "" || len(got) != 1 || got[0].Codec != x.want || got[0].SHA256 == nil || got[0].Silent || got[0].Rate < 8000 || got[0].Channels < 1 {
				t.Fatalf("%s %q %+v", a.Type, a.Partial, got)
			}
			if d := got[0].Duration; d < 2900*time.Millisecond || d > 3200*time.Millisecond {
				t.Errorf("it lasts %v", d)
			}
			if len(x.more) == 2 && (len(a.Metadata.Texts) != 1 || a.Metadata.Texts[0].Text != "Song") {
				t.Errorf("%+v", a.Metadata)
			}
		})
	}
}

func TestSoundThatIsNotWhole(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(record(t, "x.m4a", args(rushing("4"), []string{"-c:a", "aac", "-movflags", "+faststart"})...))
	if err != nil {
		t.Fatal(err)
	}
	a, got := heard(t, written(t, "cut.m4a", whole[:len(whole)/2]))
	if a.Partial == "" || got[0].SHA256 != nil || got[0].Partial == "" || got[0].Packets == 0 {
		t.Errorf("cut: %q %+v", a.Partial, got)
	}
	for name, data := range map[string][]byte{"head": whole[:40], "text in ID3": []byte("ID3" + strings.Repeat("text ", 100)), "noise": append([]byte("#!AMR\n"), bytes.Repeat([]byte{0xff}, 500)...)} {
		f, err := os.Open(written(t, "x", data))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if a, err := media.ReadSound(f, semblance.Limits{}, time.Minute); err == nil && len(a.Metadata.Video.Audio) == 0 {
			t.Errorf("%s: sound without a stream", name)
		} else if c := semblance.CodeOf(err); err != nil && c != semblance.MediaDamaged && c != semblance.MediaUnsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	still, err := os.Open(record(t, "x.jpg", "-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1"))
	if err != nil {
		t.Fatal(err)
	}
	defer still.Close()
	if _, err := media.CountSound(still); semblance.CodeOf(err) != semblance.MediaUnsupported || !strings.Contains(err.Error(), "is a picture (image/jpeg) and has no sound") {
		t.Errorf("of a picture: %v", err)
	}
	film, err := os.Open(record(t, "mute.mp4", args(picture, []string{"-c:v", "mpeg4"})...))
	if err != nil {
		t.Fatal(err)
	}
	defer film.Close()
	if _, err := media.ReadSound(film, semblance.Limits{}, time.Minute); semblance.CodeOf(err) != semblance.MediaUnsupported || !media.NoVideo(err) {
		t.Errorf("of a film without sound: %v", err)
	}
	v, err := media.OpenVideo(film, semblance.Limits{}, media.VideoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	tone, err := os.Open(written(t, "whole.m4a", whole))
	if err != nil {
		t.Fatal(err)
	}
	defer tone.Close()
	if _, err := media.ReadSound(tone, semblance.Limits{}, time.Nanosecond); semblance.CodeOf(err) != semblance.Timeout {
		t.Errorf("without any time: %v", err)
	}
}

// TestSoundThatBreaksOff: packets that all are whole, and end before the header's time, are
// no whole stream, and have no digest.
func TestSoundThatBreaksOff(t *testing.T) {
	t.Parallel()
	long := []string{"-f", "lavfi", "-i", "anoisesrc=d=8:c=pink:r=44100:a=0.5:seed=5"}
	film := args([]string{"-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=8"}, long)
	for name, how := range map[string][]string{
		"x.mp3":    args(long, []string{"-c:a", "libmp3lame"}),
		"x.flac":   args(long, []string{"-c:a", "flac"}),
		"x.mka":    args(long, []string{"-c:a", "libopus"}),
		"film.mkv": args(film, []string{"-c:v", "mpeg4", "-c:a", "aac"}),
		"film.flv": args(film, []string{"-c:v", "flv", "-c:a", "libmp3lame"}), // only its picture is known to break off
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := record(t, name, how...)
			if a, got := heard(t, path); len(got) != 1 || a.Partial != "" || got[0].Partial != "" || got[0].SHA256 == nil {
				t.Fatalf("whole: %q %+v", a.Partial, got)
			}
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			path = written(t, "cut-"+name, whole[:len(whole)/2])
			a, got := heard(t, path)
			const why = "truncated after "
			if len(got) != 1 || got[0].Packets < 5 || !strings.HasPrefix(got[0].Partial, why) || !strings.HasSuffix(got[0].Partial, "s of 8s") || got[0].SHA256 != nil || len(a.Metadata.Traces()) != 0 {
				t.Errorf("cut: %+v", got)
			}
			if a.Partial == "" || !a.IsVideo() && a.Partial != got[0].Partial {
				t.Errorf("the file: %q", a.Partial)
			}
			b, err := copySound(t, path)
			if name == "film.flv" { // no header tells of its sound
				if err != nil {
					t.Error(err)
				}
			} else if len(b) < 1000 || semblance.CodeOf(err) != semblance.MediaDamaged || !strings.Contains(err.Error(), why) {
				t.Errorf("a copy of %d bytes, %v", len(b), err)
			}
		})
	}
}

// TestSoundThatIsShorterThanItsFilm: the length of a file, or of another stream, says
// nothing of sound that ends before.
func TestSoundThatIsShorterThanItsFilm(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x.mkv", "x.flv", "x.avi", "x.mp4"} {
		for sound, film := range map[string]string{"3": "8", "8": "3"} {
			a, got := heard(t, record(t, name, "-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d="+film, "-f", "lavfi", "-i", "anoisesrc=c=pink:r=44100:a=0.5:d="+sound))
			if len(got) != 1 || got[0].Partial != "" || got[0].SHA256 == nil {
				t.Errorf("%s, sound of %s s and film of %s: %q %+v", name, sound, film, a.Partial, got)
			}
		}
	}
	// What is written to a pipe has no length in its header.
	for _, how := range [][]string{{"flac", "flac"}, {"mp3", "libmp3lame"}, {"matroska", "libopus"}} {
		out, err := exec.Command("ffmpeg", args([]string{"-nostdin", "-loglevel", "error"}, rushing("9"), []string{"-c:a", how[1], "-f", how[0], "-"})...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if _, got := heard(t, written(t, "piped", out)); len(got) != 1 || got[0].Partial != "" || got[0].SHA256 == nil {
			t.Errorf("%s: %+v", how, got)
		}
	}
}

// TestCopySound: a copy has the very packets, and is the same copy every time.
func TestCopySound(t *testing.T) {
	t.Parallel()
	film := record(t, "film.mkv", args(picture, rushing("7"), rushing("8"), []string{"-map", "0", "-map", "1", "-map", "2", "-c:v", "mpeg4", "-c:a:0", "aac", "-c:a:1", "libmp3lame"})...)
	_, want := heard(t, film)
	for _, path := range []string{film, record(t, "film.ts", "-i", film, "-map", "0", "-c:v", "mpeg2video", "-r", "25", "-c:a", "copy")} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if n, err := media.CountSound(f); n != 2 || err != nil {
			t.Errorf("%s: %d streams, %v", path, n, err)
		}
		var last []byte
		for stream := range 2 {
			b := copied(t, f, stream)
			if again := copied(t, f, stream); !bytes.Equal(b, again) || bytes.Equal(b, last) {
				t.Errorf("%s: stream %d is another copy each time, or the same as another stream", path, stream)
			}
			last = b
			if _, got := heard(t, written(t, "copy.mka", b)); len(got) != 1 || got[0].SHA256 == nil || *got[0].SHA256 != *want[stream].SHA256 || got[0].Codec != want[stream].Codec {
				t.Errorf("%s: %+v, want %+v", path, got, want[stream])
			}
		}
		if _, err := media.CopySound(f, 2); semblance.CodeOf(err) != semblance.MediaUnsupported {
			t.Errorf("%s: a third stream: %v", path, err)
		}
	}
	whole, err := os.ReadFile(record(t, "x.m4a", args(rushing("4"), []string{"-c:a", "aac", "-movflags", "+faststart"})...))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := copySound(t, written(t, "cut.m4a", whole[:len(whole)/2])); len(b) < 1000 || semblance.CodeOf(err) != semblance.MediaDamaged {
		t.Errorf("of half a file %d bytes, %v", len(b), err)
	}
}

func copied(t *testing.T, f *os.File, stream int) []byte {
	t.Helper()
	b, err := copyOf(t, f, stream)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// copyOf is what there is of a copy, and why it ends before its end.
func copyOf(t testing.TB, f *os.File, stream int) ([]byte, error) {
	t.Helper()
	c, err := media.CopySound(f, stream)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return io.ReadAll(c)
}

// TestSoundThatIsMoreThanItsFile: an index that names the same bytes again and again is not
// followed without end.
func TestSoundThatIsMoreThanItsFile(t *testing.T) {
	t.Parallel()
	m := mux{TB: t}
	word := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = binary.BigEndian.AppendUint32(b, x)
		}
		return b
	}
	const frames = 32 << 10 // in a chunk
	film := func(chunks uint32) *os.File {
		ftyp := m.box("ftyp", []byte("qt  "), word(0), []byte("qt  "))
		samples := make([]byte, 2*frames)
		for i := range samples {
			samples[i] = byte(i * i >> 3)
		}
		sowt := m.box("sowt", make([]byte, 6), []byte{0, 1}, word(0, 0), []byte{0, 1, 0, 16, 0, 0, 0, 0}, word(44100<<16))
		table := m.box("stbl", m.box("stsd", word(0, 1), sowt), m.box("stts", word(0, 1, chunks*frames, 1)), m.box("stsc", word(0, 1, 1, frames, 1)),
			m.box("stsz", word(0, 2, chunks*frames)), m.box("stco", word(0, chunks), bytes.Repeat(word(uint32(len(ftyp)+8)), int(chunks))))
		media := m.box("mdia", m.box("mdhd", word(0, 0, 0, 44100, chunks*frames, 0)), m.box("hdlr", word(0, 0), []byte("soun"), make([]byte, 13)), m.box("minf", m.box("smhd", word(0, 0)), table))
		moov := m.box("moov", m.box("trak", m.box("tkhd", word(7, 0, 0, 1, 0), make([]byte, 64)), media))
		f, err := os.Open(written(t, "x.mov", bytes.Join([][]byte{ftyp, m.box("mdat", samples), moov}, nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	a, err := media.ReadSound(film(1), semblance.Limits{}, time.Minute)
	if err != nil || a.Metadata.Video.Audio[0].SHA256 == nil || a.Metadata.Video.Audio[0].Bytes != 2*frames {
		t.Fatalf("of one chunk: %+v, %v", a.Metadata.Video, err)
	}
	bomb := film(2000)
	a, err = media.ReadSound(bomb, semblance.Limits{}, time.Minute)
	if err != nil || a.Metadata.Video.Audio[0].SHA256 != nil || a.Partial == "" || a.Metadata.Video.Audio[0].Bytes > 6<<20 {
		t.Errorf("of the same chunk 2000 times: %+v, %v", a.Metadata.Video, err)
	}
	c, err := media.CopySound(bomb, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := io.Copy(io.Discard, c); semblance.CodeOf(err) != semblance.MediaDamaged || n > 8<<20 {
		t.Errorf("a copy of %d bytes, %v", n, err)
	}
}

// copySound takes the first audio stream out of a file.
func copySound(t testing.TB, path string) ([]byte, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return copyOf(t, f, 0)
}
