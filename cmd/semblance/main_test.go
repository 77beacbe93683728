package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"semblance": main})
}

// testWorker is the worker that tests use, or "".
func testWorker() string {
	named := os.Getenv("SEMBLANCE_WORKER")
	if named == "" {
		named = "../../bin/semblance-worker"
	}
	path, err := filepath.Abs(named)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// testModels is the folder of weights that tests use, or "".
func testModels() string {
	dir := os.Getenv("SEMBLANCE_MODELS_DIR")
	if dir == "" {
		dir = "../../.cache/models"
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(path, "mobilefacenet.onnx")); err != nil {
		return ""
	}
	return path
}

// testPortraits is the folder of the demo's photographs, or "".
func testPortraits() string {
	dir := filepath.Join(testModels(), "demo-pictures")
	if _, err := os.Stat(filepath.Join(dir, "obama.jpg")); testModels() == "" || err != nil {
		return ""
	}
	return dir
}
