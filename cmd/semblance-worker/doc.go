// Command semblance-worker is the child that parses foreign pixels. It is started
// by semblance, never by a person, holds all of the C, and does its work in a cage:
// see packages worker and worker/cage, and docs/workers.md.
//
// Built without cgo it still starts and speaks the protocol, so that semblance
// can say what is missing; it then decodes nothing.
package main
