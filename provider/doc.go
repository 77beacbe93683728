// Package provider runs an agency's own programs beside the product: a licensed
// PhotoDNA, a classifier, an age estimator, a vendor's face engine. Each is a folder with
// a manifest ([Open] reads them); its program gets decoded pixels over standard input and
// answers over standard output, in a cage, with a time limit for each picture.
//
// [Host] is what callers need: its Analyzer puts what providers give beside what the
// workers make of a file. A program that crashes, hangs, floods or says what its manifest
// does not is replaced, and the picture says that it got no answer. docs/providers.md has
// the manifest and the protocol, which stay compatible within a format.
//
// Everything here is safe for concurrent use.
package provider
