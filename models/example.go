package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"semblance"
)

// The example's network: a convolution that looks at the chip in tiles, and a
// projection to as many dimensions as ArcFace's networks have.
const (
	exampleSize     = 112
	exampleTile     = 16
	exampleChannels = 4
	exampleOut      = 512
)

// ExampleEngine returns the manifest and the network of a bundle that shows the
// format of an own engine. The network has the shape of ArcFace's (112 by 112 pixels
// in, 512 dimensions out, cosine) and is not trained: it can tell whether two chips
// are the same picture, and nothing about persons. The same name gives the same bytes.
func ExampleEngine(name string) (manifest, network []byte, err error) {
	network = exampleNetwork()
	digest := sha256.Sum256(network)
	m := EngineManifest{Format: engineFormat, Name: name, Version: 1, Detector: semblance.DetectorYuNet,
		Network:   EngineNetwork{File: "network.onnx", SHA256: hex.EncodeToString(digest[:]), Input: "data", Output: "fc1"},
		Input:     EngineInput{Size: exampleSize, Color: "rgb", Layout: "nchw", Mean: [3]float32{127.5, 127.5, 127.5}, Scale: [3]float32{127.5, 127.5, 127.5}},
		Template:  namedTemplates()["arcface-112"],
		Embedding: EngineEmbedding{Dimensions: exampleOut, Metric: semblance.Cosine, Normalize: true, Distance: 0.6},
		License:   "CC0-1.0", Training: "not trained",
		Summary: "An example of an own engine, with a network that is not trained",
		Limits:  "Not trained: its distances say nothing about persons."}
	if err := m.validate(); err != nil {
		return nil, nil, semblance.Errorf(semblance.Invalid, "an example of that name cannot be made: %v", err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, nil, fmt.Errorf("write the example: %w", err)
	}
	return b.Bytes(), network, nil
}

func exampleNetwork() []byte {
	g := &onnxGraph{name: "example", doc: "an example of an own engine, not trained"}
	tiles := exampleSize / exampleTile
	g.input("data", 3, exampleSize, exampleSize)
	g.floats("filter", scatter(exampleChannels*3*exampleTile*exampleTile, 1, 0.05), exampleChannels, 3, exampleTile, exampleTile)
	g.floats("bias", scatter(exampleChannels, 2, 0.1), exampleChannels)
	g.node("Conv", "tiles", []string{"data", "filter", "bias"}, intAttr("group", 1), intsAttr("kernel_shape", exampleTile, exampleTile),
		intsAttr("strides", exampleTile, exampleTile), intsAttr("pads", 0, 0, 0, 0))
	g.node("Flatten", "flat", []string{"tiles"}, intAttr("axis", 1))
	flat := exampleChannels * tiles * tiles
	g.floats("projection", scatter(flat*exampleOut, 3, 0.1), flat, exampleOut)
	g.node("MatMul", "projected", []string{"flat", "projection"})
	g.floats("offset", scatter(exampleOut, 4, 0.01), exampleOut)
	g.node("Add", "fc1", []string{"projected", "offset"})
	g.output("fc1", exampleOut)
	return g.model()
}

// scatter returns n numbers between -scale and scale, the same everywhere since they
// are made with whole numbers.
func scatter(n int, seed uint32, scale float32) []float32 {
	out := make([]float32, n)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = float32((float64(seed>>8)/(1<<23) - 1) * float64(scale))
	}
	return out
}
