//go:build cgo && native

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
	"semblance/detector"
	"semblance/embeddings"
)

// startRuntime loads ONNX Runtime into the process, once. It must be called, from
// one goroutine, before openEngine opens an engine that needs it. The error has
// code Unavailable.
func startRuntime(libPath string) error {
	if ort.IsInitialized() {
		return nil
	}
	// ONNX Runtime carries its maker's telemetry, which would look for a network. The
	// cage refuses it and the pool switches it off; this is for tests and benchmarks.
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return err
	}
	ort.SetSharedLibraryPath(libPath)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return semblance.Errorf(semblance.Unavailable, "ONNX Runtime could not be started").
			WithHint("Fetch it with `semblance models pull`; `semblance doctor` says what is missing.").WithCause(err)
	}
	return nil
}

// modelSource returns where a model of the manifest lies and the sha256 it must
// have; empty when the manifest pins none.
type modelSource func(name string) (path, sha256 string, err error)

// openEngine opens a face engine with the models that it needs. Engines on ONNX
// Runtime need startRuntime first and use that many threads within one frame; 0 is
// 1, which is what a worker per core wants. The error has code Invalid (no such
// engine), Unavailable (weights or runtime), or is models'.
func openEngine(name semblance.EngineName, models func(name string) (path, sha256 string, err error), threads int) (semblance.FaceFinder, error) {
	spec, err := semblance.EngineByName(name)
	if err != nil {
		return nil, err
	}
	switch spec.Name {
	case semblance.YuNetMobileFaceNet:
		return openAlignedEngine(spec, semblance.DetectorYuNet, models, "mobilefacenet", embeddings.MobileFaceNet(), detector.Template112(), threads)
	case semblance.MTCNNMobileFaceNet:
		return openAlignedEngine(spec, semblance.DetectorMTCNN, models, "mobilefacenet", embeddings.MobileFaceNet(), detector.Template112(), threads)
	case semblance.YuNetDlib:
		return openAlignedEngine(spec, semblance.DetectorYuNet, models, "dlib-resnet", embeddings.DlibResNet(), detector.TemplateDlib150(), threads)
	case semblance.DlibHOG:
		return openDlibEngine(models)
	}
	return nil, semblance.Errorf(semblance.Internal, "the engine %q is listed but cannot be opened", string(spec.Name))
}

// openOwnEngine opens an engine of a bundle, with the codes of openEngine.
func openOwnEngine(b semblance.EngineBundle, models modelSource, threads int) (semblance.FaceFinder, error) {
	return openAlignedEngine(b.Spec, b.Detector, models, b.Model, embeddings.OfBundle(b), detector.Template{Size: b.Input.Size, Points: b.Template}, threads)
}

// A faceDetector finds faces with five landmarks.
type faceDetector interface {
	Detect(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error)
	SHA256() map[string]string // of the models that were loaded
	SelfCheck() error
	Close() error
}

var (
	_ faceDetector = (*detector.YuNet)(nil)
	_ faceDetector = (*detector.MTCNN)(nil)
)

// openDetector opens a detector by the name that bundles have for it.
func openDetector(name string, models modelSource, threads int) (faceDetector, error) {
	var err error
	switch name {
	case semblance.DetectorYuNet:
		opts := detector.DefaultOptions()
		opts.Threads = threads
		if opts.Model, opts.SHA256, err = models("yunet"); err != nil {
			return nil, err
		}
		return detector.OpenYuNet(opts)
	case semblance.DetectorMTCNN:
		opts := detector.DefaultMTCNN()
		opts.Threads = threads
		for model, file := range map[string]*detector.NetworkFile{"mtcnn-pnet": &opts.PNet, "mtcnn-rnet": &opts.RNet, "mtcnn-onet": &opts.ONet} {
			if file.Path, file.SHA256, err = models(model); err != nil {
				return nil, err
			}
		}
		return detector.OpenMTCNN(opts)
	}
	return nil, semblance.Errorf(semblance.Unavailable, "this worker has no detector %q", name)
}

// An alignedEngine is a detector, a template and a network. It implements
// semblance.FaceFinder.
type alignedEngine struct {
	spec     semblance.EngineSpec
	sums     map[string]string
	detector faceDetector
	template detector.Template
	net      *embeddings.Net
}

func openAlignedEngine(spec semblance.EngineSpec, detectorName string, models modelSource, netName string, netSpec embeddings.Spec, template detector.Template, threads int) (semblance.FaceFinder, error) {
	netPath, netSum, err := models(netName)
	if err != nil {
		return nil, err
	}
	if !ort.IsInitialized() {
		return nil, semblance.Errorf(semblance.Unavailable, "ONNX Runtime has not been started").
			WithHint("Fetch it with `semblance models pull`; `semblance doctor` says what is missing.")
	}
	d, err := openDetector(detectorName, models, threads)
	if err != nil {
		return nil, err
	}
	n, err := embeddings.Open(netSpec, netPath, netSum, threads)
	if err != nil {
		d.Close()
		return nil, err
	}
	sums := maps.Clone(d.SHA256())
	sums[netName] = n.SHA256()
	return &alignedEngine{spec: spec, sums: sums, detector: d, template: template, net: n}, nil
}

// Spec returns the engine's spec and the sha256 of each model loaded.
func (e *alignedEngine) Spec() (semblance.EngineSpec, map[string]string) { return e.spec, e.sums }

// Close frees native memory.
func (e *alignedEngine) Close() error {
	err := e.net.Close()
	if derr := e.detector.Close(); err == nil {
		err = derr
	}
	return err
}

// SelfCheck compares both networks' answers to a known input with the pinned ones.
// The error has code Unavailable and says what a difference means.
func (e *alignedEngine) SelfCheck() error {
	if err := e.detector.SelfCheck(); err != nil {
		return err
	}
	return e.net.SelfCheck()
}

// Find detects, and embeds the faces that are good enough to search.
func (e *alignedEngine) Find(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	faces, err := e.detector.Detect(f, o)
	if err != nil {
		return nil, err
	}
	var chips [][]byte
	var owners []*semblance.Face
	for i := range faces {
		face := &faces[i]
		chip := judge(f, face)
		if o.DetectOnly || o.Faces > 0 && i >= o.Faces || face.Quality < semblance.MinSearchableQuality {
			continue
		}
		if e.template != detector.Template112() {
			chip, _ = detector.Align(f, face.Landmarks, e.template) // it worked a moment ago
		}
		chips, owners = append(chips, chip.RGB), append(owners, face)
	}
	vectors, err := e.net.Embed(chips)
	if err != nil {
		return nil, err
	}
	for i, v := range vectors {
		owners[i].Embedding = v
	}
	return faces, nil
}

// judge sets the quality, components and labels of a face and returns the chip that it is judged by.
func judge(f *semblance.Frame, face *semblance.Face) detector.Chip {
	chip, _ := detector.Align(f, face.Landmarks, detector.Template112()) // none is quality 0
	detector.Judge(face, chip)
	return chip
}

// A dlibEngine is go-face with the quality of our own. It implements
// semblance.FaceFinder.
type dlibEngine struct{ *embeddings.DlibHOG }

// openDlibEngine opens go-face, which wants its three files in one folder.
func openDlibEngine(models modelSource) (semblance.FaceFinder, error) {
	sums := map[string]string{}
	dir := ""
	for _, name := range []string{"dlib-landmarks", "dlib-resnet-dat", "dlib-mmod"} {
		path, sum, err := models(name)
		if err != nil {
			return nil, err
		}
		if dir != "" && dir != filepath.Dir(path) {
			return nil, semblance.Errorf(semblance.Unavailable, "dlib's three models are not in one folder, as go-face wants them").
				WithHint("Fetch them with `semblance models pull`.")
		}
		dir = filepath.Dir(path)
		sums[filepath.Base(path)] = sum
	}
	d, err := embeddings.OpenDlibHOG(dir, sums)
	if err != nil {
		return nil, err
	}
	return dlibEngine{d}, nil
}

// Find adds the quality, and drops the embeddings of faces too poor to search, as
// the other engines do.
func (e dlibEngine) Find(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	if err := o.Detection.Validate(); err != nil {
		return nil, err
	}
	// Its window is 80 pixels of a picture of at most 1600.
	if least := 80 * max(1600, f.Width, f.Height) / 1600; o.MinFace > 0 && o.MinFace < least && o.Warn != nil {
		o.Warn(fmt.Sprintf("engine %s sees no faces under %d pixels in a picture of this size, though %d was asked; the engines with YuNet do", semblance.DlibHOG, least, o.MinFace))
	}
	faces, err := e.DlibHOG.Find(f, o)
	for i := range faces {
		judge(f, &faces[i])
		if faces[i].Quality < semblance.MinSearchableQuality {
			faces[i].Embedding = nil
		}
	}
	return faces, err
}

var (
	_ semblance.FaceFinder = (*alignedEngine)(nil)
	_ semblance.FaceFinder = dlibEngine{}
)
