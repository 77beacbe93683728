package models_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"semblance/models"
)

// sum is the sha256 of b as a manifest writes it.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// pattern returns n bytes that differ from place to place.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)*31 ^ seed
	}
	return b
}

// artifact describes content under a name, with sources.
func artifact(name, file string, content []byte, sources ...models.Source) models.Artifact {
	return models.Artifact{Name: name, Role: "detector", File: file, SHA256: sum(content), Size: int64(len(content)),
		License: "CC0-1.0", Origin: "made by a test", Sources: sources}
}

func urlSource(address string) models.Source { return models.Source{Kind: "url", URL: address} }

// manifest parses a manifest of these artifacts, all needed by one engine.
func manifest(t testing.TB, artifacts ...models.Artifact) *models.Manifest {
	t.Helper()
	m := models.Manifest{Version: 1, Artifacts: artifacts, Engines: []models.Engine{{Name: "engine", Default: true}}}
	for _, a := range artifacts {
		m.Engines[0].Needs = append(m.Engines[0].Needs, a.Name)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := models.ParseManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func library(t testing.TB, dir string, o models.Options) *models.Library {
	t.Helper()
	l, err := models.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
}

// real returns a file of the built-in manifest from SEMBLANCE_MODELS_DIR (a library)
// or a folder of SEMBLANCE_MODELS, verified, and skips the test where there is none.
func real(t testing.TB, name string) []byte {
	t.Helper()
	folders := append([]string{os.Getenv("SEMBLANCE_MODELS_DIR")}, filepath.SplitList(os.Getenv("SEMBLANCE_MODELS"))...)
	for _, dir := range folders {
		if dir == "" {
			continue
		}
		if b, err := library(t, dir, models.Options{Platform: "linux/amd64"}).Read(name); err == nil {
			return b
		}
	}
	t.Skipf("%s is in no folder of SEMBLANCE_MODELS_DIR or SEMBLANCE_MODELS", name)
	return nil
}
