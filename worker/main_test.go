package worker_test

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/worker"
)

// childEnv turns this test binary into a worker program: a real child in a real
// cage that does what the file it is given tells it to.
const childEnv = "SEMBLANCE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch how := os.Getenv(childEnv); {
	case how == "":
		code := m.Run()
		if dir := builtIn.Load(); dir != nil {
			os.RemoveAll(*dir)
		}
		os.Exit(code)
	case how == "serve":
		if err := worker.Serve(worker.Program{Facts: worker.Facts{Program: "test"}, Analyze: obey, Open: openOrders, IsContainer: isOrders, Check: checkEngine, IsVideo: isVideo, AnalyzeVideo: obeyVideo}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case strings.HasPrefix(how, "raw "):
		rawChild(strings.TrimPrefix(how, "raw "))
	case how == "parent":
		doomedParent()
	default:
		fmt.Fprintln(os.Stderr, "cannot start: no such way")
		os.Exit(7)
	}
}

func checkEngine(e semblance.EngineName) (map[string]string, error) {
	if e == semblance.YuNetMobileFaceNet {
		return map[string]string{}, nil
	}
	return nil, semblance.Errorf(semblance.Unavailable, "the weights of %s are missing", e).WithHint("Run semblance models pull.")
}

// isVideo and obeyVideo make a video of an order that begins with the word.
func isVideo(f *os.File) bool {
	b := make([]byte, 6)
	_, _ = f.ReadAt(b, 0)
	return string(b) == "video "
}

func obeyVideo(f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 6, 1<<20))
	if err != nil {
		return semblance.Analysis{}, err
	}
	a := semblance.Analysis{Type: "video/test", Width: 40, Height: 30, Frames: 9, Decoder: "test 1", Video: &semblance.Video{Codec: "test", Seen: time.Second}}
	frames := hashing.VPDQ{{Quality: 90, Hash: hashing.PDQ{1}}, {Frame: 25, Time: time.Second, Quality: 90, Hash: hashing.PDQ{2}}}
	for _, alg := range req.Videos {
		if !a.Video.Has(alg) {
			continue
		}
		value, _ := frames.MarshalBinary()
		if alg == hashing.AlgorithmTMK {
			value, _ = hashing.NewTMKMaker().Finish().MarshalBinary()
		}
		a.Signals = append(a.Signals, semblance.VideoSignal{Algorithm: alg, Value: value})
	}
	a.FaceSets, a.Thumbnail = answer(req).FaceSets, answer(req).Thumbnail
	if len(a.FaceSets)+req.Thumbnail > 0 {
		a.Video.Looked, a.Video.Until, a.Video.Scenes = 3, time.Second, 1
	}
	for i := range a.FaceSets {
		a.FaceSets[i].Faces[0].Appearance = &semblance.Appearance{From: 0.25, Second: 0.5, Until: 1, Frames: 2}
	}
	if req.Thumbnail > 0 {
		a.Video.Sheet = &semblance.ContactSheet{JPEG: picture(96), Columns: 2, Rows: 2, Width: 48, Height: 48, Seconds: []float64{0, 0.5, 1}}
	}
	a.Metadata.Video = &semblance.VideoFacts{Tags: []semblance.VideoTag{{Name: "encoder", Value: "test\x00\x1b"}}, Audio: []semblance.AudioStream{{Codec: "aac", Channels: -2}}}
	appearance := func() *semblance.Appearance { return a.FaceSets[0].Faces[0].Appearance }
	switch how := strings.TrimSpace(string(b)); how {
	case "ok":
	case "slow":
		time.Sleep(300 * time.Millisecond)
	case "hang":
		select {}
	case "picture":
		a.Video, a.Signals = nil, nil
	case "sound", "sound pixels", "sound digest", "sound nothing", "sound reader":
		sum := semblance.SHA256{1}
		a = semblance.Analysis{Type: "audio/test", Decoder: "test 1", Metadata: semblance.Metadata{Video: &semblance.VideoFacts{Sound: semblance.SoundReader,
			Audio: []semblance.AudioStream{{Codec: "aac\x00", Language: "n\x1bd", Packets: 3, Bytes: 9, SHA256: &sum}}}}}
		switch how {
		case "sound pixels":
			a.Thumbnail = picture(64)
		case "sound digest":
			a.Metadata.Video.Audio[0].Partial = "cut"
		case "sound nothing":
			a.Metadata.Video.Audio = nil
		case "sound reader":
			a.Metadata.Video.Sound++
		}
	case "missing":
		a.Signals = a.Signals[1:]
	case "cut":
		a.Signals[0].Value = a.Signals[0].Value[:30]
	case "hashes":
		a.Hashes = []semblance.FrameHashes{{}}
	case "time":
		a.Video.Seen = -1
	case "turned":
		a.Video.Rotation = 45
	case "lying": // and not as it is shown
		a.Video.Rotation = 90
	case "shown": // although it is no other than what is stored
		a.Signals = slices.Insert(a.Signals, 2, semblance.VideoSignal{Algorithm: hashing.AlgorithmVPDQUpright, Value: a.Signals[0].Value})
	case "frames":
		var many hashing.VPDQ
		for i := range req.Limits.VideoFrames + 9 {
			many = append(many, hashing.VPDQFrame{Frame: i})
		}
		a.Signals[0].Value, _ = many.MarshalBinary()
	case "no-appearance":
		a.FaceSets[0].Faces[0].Appearance = nil
	case "appearance-order":
		appearance().Second = 2
	case "appearance-nan":
		appearance().Until = 1e300
	case "appearance-frames":
		appearance().Frames = 0
	case "many-faces":
		for range req.Limits.VideoFaces {
			a.FaceSets[0].Faces = append(a.FaceSets[0].Faces, a.FaceSets[0].Faces[0])
		}
	case "nobody-looked":
		a.Video.Looked = 0
	case "looks":
		a.Video.Looked = req.Limits.VideoLooks + 1
	case "no-face-set":
		a.FaceSets = nil
	case "sheet-times":
		a.Video.Sheet.Seconds = []float64{0, 1, 0.5}
	case "sheet-cells":
		a.Video.Sheet.Columns = 1 << 30
	case "sheet-late":
		a.Video.Sheet.Seconds[2] = 99
	case "sheet-jpeg":
		a.Video.Sheet.JPEG = []byte("GIF89a")
	case "sheet-unasked":
		a.Video.Sheet = &semblance.ContactSheet{JPEG: picture(96), Columns: 1, Rows: 1, Width: 48, Height: 48, Seconds: []float64{0}}
	case "tags":
		a.Metadata.Video.Tags = make([]semblance.VideoTag, 1000)
	default:
		panic(how)
	}
	return a, nil
}

// obey reads an order from the file and carries it out.
func obey(f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return semblance.Analysis{}, err
	}
	order, arg, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	a := answer(req)
	switch order {
	case "frames":
		for i := range 2 {
			f := semblance.Frame{Index: i, Width: 64, Height: 30 + i}
			for k := range 3 * f.Width * f.Height {
				f.RGB = append(f.RGB, byte(k+i))
			}
			a.Pictures = append(a.Pictures, f)
		}
	case "ok":
	case "segv":
		syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		time.Sleep(time.Minute)
	case "abort":
		syscall.Kill(os.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute)
	case "panic":
		panic("a parser's mistake")
	case "exit":
		os.Exit(3)
	case "spin":
		for {
			runtime.Gosched()
		}
	case "hang":
		select {}
	case "eat":
		eat(1 << 30)
	case "nibble":
		eat(4 << 20)
	case "reserve":
		reserve()
	case "sneak": // a picture that says it is a video
		a.Video = &semblance.Video{}
	case "print":
		for range 64 {
			os.Stderr.Write(bytes.Repeat([]byte("noise "), 1<<18)) // 96 MiB in all
		}
		fmt.Fprintln(os.Stderr, "the last words")
		os.Exit(3)
	case "unsupported", "container\nx":
		return a, semblance.Errorf(semblance.MediaUnsupported, "no picture")
	case "damaged":
		return a, semblance.Errorf(semblance.MediaDamaged, "the picture ends after %s rows", arg).WithHint("Look for a better copy.")
	case "unavailable":
		return a, semblance.Errorf(semblance.Unavailable, "the weights are missing").WithHint("Run semblance models pull.")
	case "odd-error":
		return a, semblance.Errorf(semblance.Forbidden, "not yours")
	case "write":
		_, err := f.Write([]byte("x"))
		a.Partial = fmt.Sprint(err)
	case "seek":
		f.Seek(0, io.SeekEnd)
	case "environment":
		a.Warnings = os.Environ()
	case "descriptors":
		for fd := range 64 {
			var st syscall.Stat_t
			if syscall.Fstat(fd, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG {
				// The Go runtime keeps its cgroup's CPU quota open.
				if name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); !strings.HasPrefix(name, "/sys/fs/cgroup/") {
					a.Warnings = append(a.Warnings, name)
				}
			}
		}
	case "nan":
		spec, _ := semblance.EngineByName(req.Engine)
		a.FaceSets = []semblance.FaceSet{{Engine: req.Engine, Version: spec.Version, Faces: []semblance.Face{{Score: float32(math.NaN())}}}}
	case "metadata":
		a.Metadata.Make, a.Warnings = "Can\x00on\x1b[31m\xff", []string{strings.Repeat("w", 1<<16)}
	default:
		tamper(&a, order)
	}
	return a, nil
}

func eat(size int) {
	var kept [][]byte
	for {
		b := make([]byte, size)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
		runtime.KeepAlive(kept)
	}
}

// reserve takes memory around the data limit, as a child that was taken over
// might: reserved without rights first, then mapped over.
func reserve() {
	for size := uintptr(64 << 20); ; {
		at, _, e := syscall.Syscall6(syscall.SYS_MMAP, 0, size, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON, ^uintptr(0), 0)
		if e == 0 {
			_, _, e = syscall.Syscall6(syscall.SYS_MMAP, at, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_FIXED, ^uintptr(0), 0)
		}
		if e != 0 {
			fmt.Fprintln(os.Stderr, "mmap:", e)
			os.Exit(3)
		}
	}
}

// answer is a valid answer to any request.
func answer(req semblance.AnalyzeRequest) semblance.Analysis {
	a := semblance.Analysis{Type: "image/test", Width: 40, Height: 30, Frames: 1, Decoder: "test 1"}
	if len(req.Hashes) > 0 {
		h := semblance.FrameHashes{}
		for _, alg := range req.Hashes {
			v := hashing.Hash64(0x0123456789abcdef)
			switch alg {
			case hashing.AlgorithmPDQ:
				h.PDQ = &hashing.PDQResult{Hash: hashing.PDQ{1, 2, 3}, Quality: 77}
			case hashing.AlgorithmPHash:
				h.PHash = &v
			case hashing.AlgorithmDHash:
				h.DHash = &v
			case hashing.AlgorithmAHash:
				h.AHash = &v
			}
		}
		a.Hashes = []semblance.FrameHashes{h}
	}
	for _, e := range append([]semblance.EngineName{req.Engine}, req.Engines...) {
		if e != "" {
			spec, _ := semblance.EngineByName(e)
			a.FaceSets = append(a.FaceSets, semblance.FaceSet{Engine: e, Version: spec.Version, Detection: req.Detection, Faces: []semblance.Face{face(spec, req)}})
		}
	}
	if req.Thumbnail > 0 {
		a.Thumbnail = picture(req.Thumbnail)
	}
	return a
}

func face(spec semblance.EngineSpec, req semblance.AnalyzeRequest) semblance.Face {
	f := semblance.Face{Box: semblance.Box{X: 1, Y: 2, W: 3, H: 4}, Score: 0.9, Quality: 50, Components: &semblance.Components{Sharpness: 40, Score: 90}, Labels: []string{semblance.LabelBlurred},
		Landmarks: []semblance.Point{{X: 1, Y: 1}, {X: 2, Y: 1}, {X: 1.5, Y: 2}, {X: 1, Y: 3}, {X: 2, Y: 3}}}
	if !req.NoEmbed {
		f.Embedding = make([]float32, spec.Dimensions)
		f.Embedding[0] = 1
	}
	if req.Crops {
		f.Crop = picture(64)
	}
	return f
}

func picture(side int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, side, side)), nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// tamper makes an answer that a child that was taken over might give.
func tamper(a *semblance.Analysis, how string) {
	f := func() *semblance.Face { return &a.FaceSets[0].Faces[0] }
	switch how {
	case "many-faces":
		for range 5000 {
			a.FaceSets[0].Faces = append(a.FaceSets[0].Faces, *f())
		}
	case "large-crop":
		f().Crop = picture(300)
	case "crop-not-jpeg":
		f().Crop = []byte("GIF89a")
	case "short-embedding":
		f().Embedding = f().Embedding[:5]
	case "long-embedding-vector":
		f().Embedding[1] = 9
	case "score":
		f().Score = 2
	case "component":
		f().Components.Sharpness = 101
	case "label":
		f().Labels = []string{"\x1b[31mred"}
	case "box":
		f().Box.W = -1
	case "turn":
		f().Turn = 45
	case "smaller-faces":
		a.FaceSets[0].MinFace = 12
	case "other-score":
		a.FaceSets[0].MinScore = 0.3
	case "far-box":
		f().Box.X = 1e30
	case "no-face-set":
		a.FaceSets = nil
	case "other-engine":
		a.FaceSets[0].Engine = semblance.DlibHOG
	case "other-version":
		a.FaceSets[0].Version = 99
	case "other-model":
		a.FaceSets[0].Models = map[string]string{"evil": strings.Repeat("ab", 32)}
	case "unasked-hash":
		a.Hashes = []semblance.FrameHashes{{AHash: new(hashing.Hash64)}}
	case "missing-hashes":
		a.Hashes = nil
	case "orientation":
		a.Orientation = 9
	case "size":
		a.Width = 1 << 30
	case "pixels":
		a.Width, a.Height = 100_000, 100_000
	case "thumbnail":
		a.Thumbnail = picture(4000)
	case "large-frame":
		a.Pictures = []semblance.Frame{{Width: 65, Height: 1, RGB: make([]byte, 3*65)}}
	case "frame-twice":
		f := semblance.Frame{Width: 1, Height: 1, RGB: make([]byte, 3)}
		a.Pictures = []semblance.Frame{f, f}
	case "supplied-value":
		a.Hashes[0].Supplied = []semblance.SuppliedHash{{Algorithm: hashing.AlgorithmPhotoDNA, Value: make([]byte, 144)}}
	case "provider-run":
		a.Providers = []semblance.ProviderRun{{Provider: "pdna", Version: "1"}}
	default:
		panic("no order " + how)
	}
}
