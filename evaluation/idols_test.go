package evaluation_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"semblance"
	"semblance/evaluation"
)

// TestIdols measures the published dlib descriptors of 134 Korean singers. What is known
// of them must be found: photographs filed under two names, and that dlib's net finds
// few of them first.
func TestIdols(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	b, err := os.ReadFile(filepath.Join(dir, "faces", "idols.json"))
	if dir == "" || os.IsNotExist(err) {
		t.Skip("SEMBLANCE_TESTDATA has no faces/idols.json")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Faces []struct {
			Descriptor []byte `json:"descriptor"`
			Idol       string `json:"idol_id"`
		} `json:"faces"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	var samples []evaluation.Sample
	for i, f := range file.Faces {
		v := make([]float32, 128)
		if len(f.Descriptor) != 4*len(v) {
			t.Fatalf("descriptor %d has %d bytes", i, len(f.Descriptor))
		}
		for k := range v {
			v[k] = math.Float32frombits(binary.LittleEndian.Uint32(f.Descriptor[4*k:]))
		}
		samples = append(samples, evaluation.Sample{Person: f.Idol, Name: fmt.Sprintf("%s/%04d", f.Idol, i), Quality: 90, Vector: v})
	}
	spec, err := semblance.EngineByName(semblance.YuNetDlib)
	if err != nil {
		t.Fatal(err)
	}
	e, err := evaluation.Measure(samples, nil, spec)
	if err != nil {
		t.Fatal(err)
	}
	if e.Persons != 134 || e.Samples != 1286 || len(e.Copies) != 28 {
		t.Errorf("%d persons, %d samples, %d pairs of persons with one photograph", e.Persons, e.Samples, len(e.Copies))
	}
	t.Logf("AUC %.4f (%.4f to %.4f), %d mated and %d non-mated pairs", *e.AUC, e.AUCLow, e.AUCHigh, e.Mated, e.NonMated)
	for _, p := range e.Pairs {
		t.Logf("FNMR at FMR %g: %s", p.FMR, p.FNMR)
	}
	for _, g := range e.Sizes {
		t.Logf("N = %d: FNIR rank 1 %s, rank 20 %s", g.Size, g.Ranks[0].FNIR, g.Ranks[2].FNIR)
		for _, x := range g.AtFPIR {
			t.Logf("N = %d: FNIR at FPIR %g: %s", g.Size, x.Asked, x.FNIR)
		}
		t.Logf("N = %d: at the default %.4f FPIR %s, FNIR %s", g.Size, *g.AtDefault.Distance, g.AtDefault.FPIR, g.AtDefault.FNIR)
	}
	last := e.Sizes[len(e.Sizes)-1]
	if last.Size != 133 || last.NonMated != 1286 || *last.AtDefault.FPIR.Value < 0.9 || *last.Ranks[0].FNIR.Value < 0.3 {
		t.Errorf("the largest gallery: %+v", last)
	}
	if last.AtFPIR[0].FNIR.Value == nil || *last.AtFPIR[0].FNIR.Value < *last.AtFPIR[1].FNIR.Value {
		t.Errorf("FNIR at FPIR 0.003 and 0.01: %+v", last.AtFPIR)
	}
	if out := os.Getenv("SEMBLANCE_EVALUATION_PAGE"); out != "" { // to look at
		f, err := os.Create(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := evaluation.WriteHTML(f, evaluation.Page{Program: "semblance", Source: "idols.json", Engine: spec, Evaluation: e}); err != nil {
			t.Fatal(err)
		}
	}
}
