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
	session  *ort.DynamicAdvancedSession
	opts     Options
	planes   []float32 // the input, kept between frames
	spare    []float32 // the same, turned or before it was reduced further
	mirrored []float32 // the same of a close-up
	seen     view      // what of the frame planes shows
	sha256   string
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
	levels, release, err := y.infer(checkPlanes(), checkSide, checkSide)
	if err != nil {
		return err
	}
	defer release()
	return checkAnswer(levels[0])
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

// run feeds planes of w by h values, multiples of 32, and decodes the answer.
func (y *YuNet) run(planes []float32, w, h int, score float32) ([]semblance.Face, error) {
	levels, release, err := y.infer(planes, w, h)
	if err != nil {
		return nil, err
	}
	defer release()
	var faces []semblance.Face
	for i := range levels {
		faces = levels[i].decode(score, faces)
	}
	return suppress(faces, y.opts.Overlap), nil
}

// infer returns the raw levels, valid until release is called.
func (y *YuNet) infer(planes []float32, w, h int) (levels []level, release func(), err error) {
	in, err := ort.NewTensor(ort.NewShape(1, 3, int64(h), int64(w)), planes[:3*w*h])
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
	for i, stride := range []int{8, 16, 32} {
		l := level{stride: stride, cols: w / stride, rows: h / stride}
		n := l.cols * l.rows
		var ok [4]bool
		l.cls, ok[0] = values(out[i], n)
		l.obj, ok[1] = values(out[3+i], n)
		l.box, ok[2] = values(out[6+i], 4*n)
		l.kps, ok[3] = values(out[9+i], 10*n)
		if ok != [4]bool{true, true, true, true} {
			release()
			return nil, nil, runError(errors.New("an output has another size than YuNet's"))
		}
		levels = append(levels, l)
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
