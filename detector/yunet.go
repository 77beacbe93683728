//go:build cgo && native

package detector

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
)

// YuNet is YuNet (yunet_n_dynamic.onnx) in ONNX Runtime. It holds native memory
// until Close and is used by one goroutine at a time.
type YuNet struct {
	session *ort.DynamicAdvancedSession
	opts    Options
	planes  []float32 // the input, kept between frames
	spare   []float32 // the same, turned or before it was reduced further
	pair    []float32 // a close-up and its mirror image
	seen    view      // what of the frame planes shows
	sha256  string
}

// OpenYuNet loads the network. The process must have started ONNX Runtime. The
// error has code Unavailable (the file is missing, altered or not loadable) or
// Invalid (the options).
func OpenYuNet(opts Options) (*YuNet, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	model, sum, err := readModel("YuNet", opts.Model, opts.SHA256)
	if err != nil {
		return nil, err
	}
	session, err := newSession(model, opts.Threads, outputNames())
	if err != nil {
		return nil, semblance.Errorf(semblance.Unavailable, "the face detector YuNet could not be loaded").
			WithHint("Run `semblance models verify`, then `semblance doctor`.").WithCause(err)
	}
	return &YuNet{session: session, opts: opts, sha256: sum}, nil
}

// SHA256 returns the checksum of the network that was loaded, in hexadecimal, by name.
func (y *YuNet) SHA256() map[string]string { return map[string]string{"yunet": y.sha256} }

// Close frees native memory.
func (y *YuNet) Close() error { return y.session.Destroy() }

// SelfCheck runs a known input through the network and compares the answer with the
// one that is pinned. The error has code Unavailable and says what a difference
// means.
func (y *YuNet) SelfCheck() error {
	levels, release, err := y.infer(checkPlanes(), 1, checkSide, checkSide)
	if err != nil {
		return err
	}
	defer release()
	return checkAnswer(levels[0][0])
}

// readModel reads a network and compares its checksum before native code parses it.
func readModel(detector, path, want string) ([]byte, string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", semblance.Errorf(semblance.Unavailable, "the weights of the face detector %s are not there", detector).
			WithHint("Fetch them with `semblance models pull`.").WithCause(err)
	}
	if err != nil {
		return nil, "", semblance.Errorf(semblance.Unavailable, "the weights of the face detector %s could not be read", detector).
			WithHint("Look at the permissions of the models folder.").WithCause(err)
	}
	digest := sha256.Sum256(data)
	sum := hex.EncodeToString(digest[:])
	if want != "" && sum != want {
		return nil, "", semblance.Errorf(semblance.Unavailable, "the weights of the face detector %s are not the ones expected: sha256 %s instead of %s", detector, sum, want).
			WithHint("Fetch them again with `semblance models pull`.")
	}
	return data, sum, nil
}

func newSession(model []byte, threads int, outputs []string) (*ort.DynamicAdvancedSession, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if err := errors.Join(
		o.SetIntraOpNumThreads(max(1, threads)),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		o.SetMemPattern(false), // inputs differ in size; a plan for each would be kept
	); err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(model, []string{"input"}, outputs, o)
}

// outputNames are the network's outputs: for each of class, object, box and
// landmarks the strides 8, 16 and 32.
func outputNames() []string {
	return []string{"cls_8", "cls_16", "cls_32", "obj_8", "obj_16", "obj_32",
		"bbox_8", "bbox_16", "bbox_32", "kps_8", "kps_16", "kps_32"}
}

// run feeds one picture of w by h values a plane, multiples of 32, and decodes the answer.
func (y *YuNet) run(planes []float32, w, h int, score float32) ([]semblance.Face, error) {
	faces, err := y.runEach(planes, 1, w, h, score)
	if err != nil {
		return nil, err
	}
	return faces[0], nil
}

// runEach is run for n pictures of one size, one after the other in planes. It is
// quicker than n runs and gives the same bits.
func (y *YuNet) runEach(planes []float32, n, w, h int, score float32) ([][]semblance.Face, error) {
	levels, release, err := y.infer(planes, n, w, h)
	if err != nil {
		return nil, err
	}
	defer release()
	out := make([][]semblance.Face, n)
	for i := range out {
		for k := range levels[i] {
			out[i] = levels[i][k].decode(score, out[i])
		}
		out[i] = suppress(out[i], y.opts.Overlap)
	}
	return out, nil
}

// infer returns the raw levels of each of n pictures, valid until release is called.
func (y *YuNet) infer(planes []float32, n, w, h int) (levels [][]level, release func(), err error) {
	in, err := ort.NewTensor(ort.NewShape(int64(n), 3, int64(h), int64(w)), planes[:n*3*w*h])
	if err != nil {
		return nil, nil, runError(err)
	}
	defer in.Destroy()
	out := make([]ort.Value, 12)
	if err := y.session.Run([]ort.Value{in}, out); err != nil {
		return nil, nil, runError(err)
	}
	release = func() {
		for _, v := range out {
			v.Destroy()
		}
	}
	levels = make([][]level, n)
	for i, stride := range []int{8, 16, 32} {
		l := level{stride: stride, cols: w / stride, rows: h / stride}
		cells := l.cols * l.rows
		var ok [4]bool
		l.cls, ok[0] = values(out[i], n*cells)
		l.obj, ok[1] = values(out[3+i], n*cells)
		l.box, ok[2] = values(out[6+i], n*4*cells)
		l.kps, ok[3] = values(out[9+i], n*10*cells)
		if ok != [4]bool{true, true, true, true} {
			release()
			return nil, nil, runError(errors.New("an output has another size than YuNet's"))
		}
		for k := range levels {
			levels[k] = append(levels[k], l.part(k))
		}
	}
	return levels, release, nil
}

func values(v ort.Value, n int) ([]float32, bool) {
	t, ok := v.(*ort.Tensor[float32])
	if !ok || len(t.GetData()) != n {
		return nil, false
	}
	return t.GetData(), true
}

func runError(err error) error {
	return semblance.Errorf(semblance.Internal, "the face detector YuNet failed on this picture").
		WithHint("Run `semblance doctor`; if it finds nothing, report this with the picture's size.").WithCause(err)
}
