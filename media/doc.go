// Package media turns the bytes of one file into frames and metadata: it sniffs
// the type, reads headers, checks limits, decodes and reads EXIF. It is linked
// into the worker only, since all of it runs on foreign bytes.
//
// Most callers need Open, which gives a semblance.Picture, and Upright, which
// turns a frame the way a person would look at it. Frames come as stored; PDQ is
// made of those, faces are looked for in upright ones.
//
// Everything in headers is read and compared with the limits before memory is
// allocated for what it promises. A picture of which a part can be decoded is that
// part and says so in Partial; it is never passed off as whole. Pixels that could
// not be decoded are mid-gray (128).
//
// Functions may be called by several goroutines; a Picture belongs to one. Native
// memory is held only while a frame is being decoded. The files that need no C
// (sniffing, headers, the GIF and BMP readers, turning, scaling, metadata) build
// and are tested without cgo.
package media
