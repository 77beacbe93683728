package index_test

import (
	"context"
	"fmt"

	"semblance"
	"semblance/hashing"
	"semblance/index"
)

// What a search finds of three persons, nearest first, each once.
func ExampleFlat() {
	ctx := context.Background()
	space := semblance.EngineSpec{Name: "example", Version: 1, Dimensions: 2, Metric: semblance.Euclid}
	flat := index.NewFlat()
	err := flat.Update(ctx, space, "missing", 1, semblance.VectorChange{Add: []semblance.VectorEntry{
		{ID: "r1", Subject: "Ada", Vector: []float32{1, 0}},
		{ID: "r2", Subject: "Ada", Vector: []float32{1, 1}},
		{ID: "r3", Subject: "Emmy", Vector: []float32{0, 2}},
		{ID: "r4", Subject: "Sofja", Vector: []float32{-3, 0}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := flat.Search(ctx, semblance.VectorQuery{Space: space, Collections: []semblance.CollectionID{"missing"}, Vectors: [][]float32{{1, 0.4}}, Subjects: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range found[0] {
		fmt.Printf("%s %s %.1f\n", n.Subject, n.ID, n.Distance)
	}
	// Output:
	// Ada r1 0.4
	// Emmy r3 1.9
}

// Every entry within the radius is found.
func ExampleHashes() {
	ctx := context.Background()
	known, near := hashing.PDQ{}, hashing.PDQ{}
	near[3] = 0b111
	hashes := index.NewHashes()
	if err := hashes.Update(ctx, "known", 1, semblance.HashChange{Add: []semblance.HashEntry{{ID: 7, Algorithm: hashing.AlgorithmPDQ, Value: known[:]}}}); err != nil {
		fmt.Println(err)
		return
	}
	found, err := hashes.Search(ctx, semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"known"}, Values: [][]byte{near[:]}, Radius: 31})
	fmt.Println(found, err)
	// Output: [[{7 known 3}]] <nil>
}
