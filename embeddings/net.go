//go:build cgo && native

package embeddings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
)

// MaxBatch is how many chips go through a network at once. More would need more
// memory (about 4 MB a chip) and be no faster on one core.
const MaxBatch = 16

// Net is an embedder in ONNX Runtime. It holds native memory until Close and is
// used by one goroutine at a time.
type Net struct {
	spec    Spec
	session *ort.DynamicAdvancedSession
	input   []float32 // kept between calls
	sha256  string
	batch   int // chips at once
}

// Open loads a network from a file whose sha256 must be the one given in
// hexadecimal (empty: not compared). Threads is how many ONNX Runtime uses within
// one call; 0 is 1. The process must have started ONNX Runtime. The error has code
// Unavailable: the file is missing, altered or not loadable.
func Open(spec Spec, model, sum string, threads int) (*Net, error) {
	data, got, err := readModel(spec, model, sum)
	if err != nil {
		return nil, err
	}
	f := ports{input: "input", output: "embedding", batch: MaxBatch}
	if spec.own {
		if f, err = look(&spec, data); err != nil {
			return nil, err
		}
	}
	session, err := newSession(data, f, threads)
	if err != nil {
		return nil, semblance.Errorf(semblance.Unavailable, "the face embedder %s could not be loaded", spec.Name).
			WithHint("Run `semblance models verify`, then `semblance doctor`.").WithCause(err)
	}
	return &Net{spec: spec, session: session, sha256: got, batch: f.batch}, nil
}

// SHA256 returns the checksum of the network that was loaded, in hexadecimal.
func (n *Net) SHA256() string { return n.sha256 }

// Close frees native memory.
func (n *Net) Close() error { return n.session.Destroy() }

// Embed returns one vector for each chip, in order: Spec.Dimensions long, owned by
// the caller. A chip is Spec.Size by Spec.Size pixels, packed RGB. The error has
// code Invalid (a chip of another size) or Internal; then there are no vectors.
func (n *Net) Embed(chips [][]byte) ([][]float32, error) {
	for _, c := range chips {
		if len(c) != 3*n.spec.Size*n.spec.Size {
			return nil, semblance.Errorf(semblance.Invalid, "a face chip for %s has %d bytes, not %d", n.spec.Name, len(c), 3*n.spec.Size*n.spec.Size)
		}
	}
	vectors := make([][]float32, 0, len(chips))
	for len(chips) > 0 {
		batch := chips[:min(len(chips), n.batch)]
		chips = chips[len(batch):]
		raw, err := n.run(batch)
		if err != nil {
			return nil, err
		}
		for i := range batch {
			v, err := n.spec.vector(raw[i*n.spec.Dimensions : (i+1)*n.spec.Dimensions])
			if err != nil {
				return nil, err
			}
			vectors = append(vectors, v)
		}
	}
	return vectors, nil
}

// SelfCheck runs a known input through the network and compares the answer with the
// one that is pinned. The error has code Unavailable and says what a difference
// means.
func (n *Net) SelfCheck() error {
	vectors, err := n.Embed([][]byte{checkChip(n.spec.Size)})
	if err != nil {
		return err
	}
	if n.spec.own {
		gray, err := n.Embed([][]byte{grayChip(n.spec.Size)})
		if err != nil {
			return err
		}
		return n.spec.checkOwn(vectors[0], gray[0])
	}
	return n.spec.checkAnswer(vectors[0])
}

// run returns the raw embeddings of a batch, one after the other.
func (n *Net) run(batch [][]byte) ([]float32, error) {
	each := 3 * n.spec.Size * n.spec.Size
	if cap(n.input) < len(batch)*each {
		n.input = make([]float32, len(batch)*each)
	}
	input := n.input[:len(batch)*each]
	for i, c := range batch {
		n.spec.fill(input[i*each:(i+1)*each], c)
	}
	size := int64(n.spec.Size)
	shape := ort.NewShape(int64(len(batch)), 3, size, size)
	if n.spec.input.NHWC {
		shape = ort.NewShape(int64(len(batch)), size, size, 3)
	}
	in, err := ort.NewTensor(shape, input)
	if err != nil {
		return nil, n.runError(err)
	}
	defer in.Destroy()
	out := []ort.Value{nil} // made by the run: what the network gives is looked at, not assumed
	if err := n.session.Run([]ort.Value{in}, out); err != nil {
		return nil, n.runError(err)
	}
	defer out[0].Destroy()
	t, ok := out[0].(*ort.Tensor[float32])
	if want := len(batch) * n.spec.Dimensions; !ok || len(t.GetData()) != want {
		return nil, n.spec.otherOutput(out[0].GetShape(), len(batch))
	}
	return slices.Clone(t.GetData()), nil
}

func (n *Net) runError(err error) error {
	return semblance.Errorf(semblance.Internal, "the face embedder %s failed", n.spec.Name).
		WithHint("Run `semblance doctor`; if it finds nothing, report this.").WithCause(err)
}

// readModel reads a network and compares its checksum before native code parses it.
func readModel(spec Spec, path, want string) ([]byte, string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", semblance.Errorf(semblance.Unavailable, "the weights of the face embedder %s are not there", spec.Name).
			WithHint("%s", spec.mendHint()).WithCause(err)
	}
	if err != nil {
		return nil, "", semblance.Errorf(semblance.Unavailable, "the weights of the face embedder %s could not be read", spec.Name).
			WithHint("Look at the permissions of the models folder.").WithCause(err)
	}
	digest := sha256.Sum256(data)
	got := hex.EncodeToString(digest[:])
	if want != "" && got != want {
		return nil, "", semblance.Errorf(semblance.Unavailable, "the weights of the face embedder %s are not the ones expected: sha256 %s instead of %s", spec.Name, got, want).
			WithHint("%s", spec.mendHint())
	}
	return data, got, nil
}

func newSession(model []byte, f ports, threads int) (*ort.DynamicAdvancedSession, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer o.Destroy()
	if err := errors.Join(
		o.SetIntraOpNumThreads(max(1, threads)),
		o.SetInterOpNumThreads(1),
		o.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		o.SetMemPattern(false), // batches differ in size; a plan for each would be kept
	); err != nil {
		return nil, err
	}
	return ort.NewDynamicAdvancedSessionWithONNXData(model, []string{f.input}, []string{f.output}, o)
}
