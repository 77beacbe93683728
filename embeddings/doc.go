// Package embeddings turns aligned faces into vectors: networks in ONNX Runtime
// ([Open]), and dlib's own detector and network through go-face ([OpenDlibHOG]),
// which cannot be taken apart.
//
// A chip is an aligned face of the size that the network wants, packed RGB. A Net
// and a DlibHOG hold native memory until Close and are each used by one goroutine
// at a time. The process must have started ONNX Runtime before Open; go-face needs
// no runtime. What a network is fed and what is done to its answer are part of the
// engine's version and change only together with it.
package embeddings
