// Command sheetbench fills a data folder with synthetic faces collections, to time
// searches of real probes in collections of a size that no free set of faces has.
//
//	sheetbench DATA COLLECTIONS REFERENCES   case bench-1, collections c0, c1, ... of that many references, one a subject
//
// Vectors are random and near nobody: they are for speed and say nothing about
// accuracy.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"

	"semblance"
	"semblance/store"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sheetbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: sheetbench DATA COLLECTIONS REFERENCES")
	}
	collections, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	references, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, args[0], store.DefaultOptions())
	if err != nil {
		return err
	}
	defer s.Close()
	e := semblance.New(semblance.Parts{Cases: s, Collections: s, References: s, Audit: s})
	who := semblance.Actor{Name: "sheetbench", Via: "cli"}
	if _, err := e.CreateCase(ctx, who, semblance.Case{Number: "bench-1", Agency: "bench", Country: "XX", Purpose: "benchmark", Basis: "none"}); err != nil {
		return err
	}
	for i := range collections {
		c, err := e.CreateCollection(ctx, who, semblance.Collection{Name: fmt.Sprint("c", i), Kind: semblance.Faces, Owner: "bench", Country: "XX", Basis: "none"})
		if err != nil {
			return err
		}
		if err := fill(ctx, s, c, references, rand.New(rand.NewPCG(uint64(i), 1))); err != nil {
			return err
		}
	}
	return nil
}

// batch is how many references one transaction adds.
const batch = 10_000

func fill(ctx context.Context, s *store.Store, c semblance.Collection, n int, rng *rand.Rand) error {
	spec, err := semblance.EngineByName(c.Engine)
	if err != nil {
		return err
	}
	for from := 0; from < n; from += batch {
		var refs []semblance.Reference
		for i := from; i < min(from+batch, n); i++ {
			name := fmt.Sprintf("%s-%07d", c.Name, i)
			sum := sha256.Sum256([]byte(name))
			refs = append(refs, semblance.Reference{ID: semblance.ReferenceID(fmt.Sprintf("%x", sum[:16])), Collection: c.ID, Subject: name, Source: name + ".jpg", SHA256: sum, Type: "image/jpeg",
				Face:   semblance.Face{Box: semblance.Box{X: 40, Y: 40, W: 80, H: 100}, Score: 0.9, Quality: 80, Embedding: direction(rng, spec.Dimensions)},
				Engine: spec.Name, Version: spec.Version, Decoder: "synthetic"})
		}
		ev := semblance.AuditEvent{Actor: semblance.Actor{Name: "sheetbench", Via: "cli"}, Action: "bench.fill", Collections: []string{c.Name}}
		if _, err := s.AddReferences(ctx, c.ID, refs, ev); err != nil {
			return err
		}
	}
	return nil
}

// direction is a random unit vector.
func direction(rng *rand.Rand, n int) []float32 {
	v := make([]float64, n)
	sum := 0.0
	for i := range v {
		v[i] = rng.NormFloat64()
		sum += v[i] * v[i]
	}
	out := make([]float32, n)
	for i := range v {
		out[i] = float32(v[i] / math.Sqrt(sum))
	}
	return out
}
