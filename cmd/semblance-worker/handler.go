//go:build cgo && native

package main

import (
	"context"
	"os"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
	"semblance/containers"
	"semblance/media"
	"semblance/worker"
)

// A handler is the state of a child between files: the engines it has opened.
type handler struct {
	models  map[string]worker.Model
	threads int
	own     map[semblance.EngineName]semblance.EngineBundle
	engines map[semblance.EngineName]semblance.FaceFinder
	memory  memory
}

// program is the real one.
func program() worker.Program {
	h := &handler{engines: map[semblance.EngineName]semblance.FaceFinder{}, own: map[semblance.EngineName]semblance.EngineBundle{}}
	return worker.Program{
		Facts: facts(media.Versions()),
		// ONNX Runtime and libheif load libraries when they are first used, and size
		// their work by the processor. All of it is public on every machine.
		Read:     []string{"/proc/cpuinfo", "/etc/ld.so.cache"},
		ReadDirs: []string{"/sys/devices/system/cpu", "/lib", "/lib64", "/usr/lib", "/usr/local/lib"},
		Start: func(hello worker.Hello) error {
			h.models, h.threads, h.memory = hello.Models, hello.Threads, openMemory()
			for _, b := range hello.Engines {
				h.own[b.Spec.Name] = b
			}
			return nil
		},
		Analyze:      h.analyze,
		IsVideo:      isVideo,
		AnalyzeVideo: h.analyzeVideo,
		Open:         openContainer,
		IsContainer:  isContainer,
		Check:        h.check,
	}
}

// model finds a model among those the parent gave.
func (h *handler) model(name string) (path, sha256 string, err error) {
	m, ok := h.models[name]
	if !ok {
		return "", "", semblance.Errorf(semblance.Unavailable, "the model %q is not installed, and faces cannot be looked for without it", name).
			WithHint("Fetch it with semblance models pull.")
	}
	return m.Path, m.SHA256, nil
}

// finder returns an engine, opened once and kept: loading weights takes longer
// than looking for faces.
func (h *handler) finder(name semblance.EngineName) (semblance.FaceFinder, error) {
	if e, ok := h.engines[name]; ok {
		return e, nil
	}
	if name != semblance.DlibHOG && !ort.IsInitialized() {
		path, _, err := h.model("onnxruntime")
		if err != nil {
			return nil, err
		}
		if err := startRuntime(path); err != nil {
			return nil, err
		}
	}
	e, err := h.open(name)
	if err != nil {
		return nil, err
	}
	h.engines[name] = e
	return e, nil
}

func (h *handler) open(name semblance.EngineName) (semblance.FaceFinder, error) {
	if b, ok := h.own[name]; ok {
		return openOwnEngine(b, h.model, h.threads)
	}
	return openEngine(name, h.model, h.threads)
}

// finders opens all engines of a request, before anything is decoded: a missing
// model is the same for every file.
func (h *handler) finders(req *semblance.AnalyzeRequest) ([]semblance.FaceFinder, error) {
	var found []semblance.FaceFinder
	for _, name := range worker.Engines(req) {
		e, err := h.finder(name)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, nil
}

// check opens an engine and lets it look at a plain gray frame, in which there
// must be no face; networks also give their known answers.
func (h *handler) check(name semblance.EngineName) (map[string]string, error) {
	switch name {
	case worker.VideoCheck:
		_, err := media.VideoDecoder()
		return nil, err
	case worker.DiskCheck:
		_, err := containers.DiskLibrary()
		return nil, err
	}
	e, err := h.finder(name)
	if err != nil {
		return nil, err
	}
	const side = 320
	gray := &semblance.Frame{Width: side, Height: side, RGB: make([]byte, 3*side*side)}
	for i := range gray.RGB {
		gray.RGB[i] = 128
	}
	faces, err := e.Find(gray, semblance.FindOptions{})
	if err != nil {
		return nil, err
	}
	if len(faces) > 0 {
		return nil, semblance.Errorf(semblance.Unavailable, "the engine %s finds %d faces in an empty picture; its models or libraries are broken", name, len(faces)).
			WithHint("Run semblance models verify.")
	}
	if known, ok := e.(interface{ SelfCheck() error }); ok {
		if err := known.SelfCheck(); err != nil {
			return nil, err
		}
	}
	_, sums := e.Spec()
	return sums, nil
}

func (h *handler) analyze(f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	engines, err := h.finders(&req)
	if err != nil {
		return semblance.Analysis{}, err
	}
	if a, ok, err := readText(f, &req); ok || err != nil {
		return a, err
	}
	a, err := h.analyzePicture(f, req, engines)
	if req.Selectors != nil && semblance.CodeOf(err) == semblance.MediaUnsupported && err != nil {
		err = semblance.NotText(err)
	}
	return a, err
}

// readText reads a file for selectors when they are asked for and it is text.
func readText(f *os.File, req *semblance.AnalyzeRequest) (a semblance.Analysis, ok bool, err error) {
	if req.Selectors == nil {
		return a, false, nil
	}
	info, err := f.Stat()
	if err != nil {
		return a, false, semblance.Errorf(semblance.Internal, "the size of the file cannot be read").WithCause(err)
	}
	return media.ReadSelectors(context.Background(), f, info.Size(), *req.Selectors)
}

func (h *handler) analyzePicture(f *os.File, req semblance.AnalyzeRequest, engines []semblance.FaceFinder) (semblance.Analysis, error) {
	limits := req.Limits
	limits.Memory = h.memory.left(limits.Memory)
	picture, err := media.Open(f, limits, decoding(&req))
	if err != nil {
		return semblance.Analysis{}, err
	}
	defer picture.Close()
	return newAnalysis(&req, engines).of(picture)
}

// decoding says how much of a picture is decoded. Only a thumbnail gets by with
// less than all: hashes are of the pixels as stored, and what a reduced scale
// costs the detectors in small faces has not been measured. This is the place to
// set MinSide for requests for faces alone once it has.
func decoding(req *semblance.AnalyzeRequest) media.Options {
	if len(req.Hashes) == 0 && len(worker.Engines(req)) == 0 && req.Pictures == 0 {
		return media.Options{MinSide: max(req.Thumbnail, 1)}
	}
	return media.Options{}
}
