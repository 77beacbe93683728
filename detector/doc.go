// Package detector finds faces in frames and prepares them for an embedder: YuNet
// in ONNX Runtime, landmarks refined on a second look at each face, alignment to a
// template, and a quality that says how far a comparison can be relied on.
//
// Most callers need two names: [OpenYuNet], whose Detect gives faces, and [Align],
// which cuts a face out of the frame as a chip for the embedder. Everything but
// YuNet itself is pure Go and works on plain slices. Functions keep nothing of
// their arguments; a YuNet is used by one goroutine at a time. The process must
// have started ONNX Runtime before OpenYuNet. Numbers that decide what a face looks
// like to an embedder (templates, filters) change only together with the engine's
// version.
package detector
