// Package models keeps the files that engines need (weights, and the ONNX Runtime
// library): a manifest that pins each by sha256 and says where it comes from, and a
// [Library], a folder in which they are pulled, verified, exported and imported.
// It also holds the two converters that turn dlib's and TensorFlow Lite's files
// into ONNX.
//
// Most callers need [Open] and [Library.Path]. Nothing is handed out unverified: a
// file is hashed before it is used, and one with a single changed byte is refused.
// A Library is safe for concurrent use; one process at a time pulls or imports. The
// names of artifacts, the layout of the folder and the format of a bundle stay
// compatible; "models" here are never data models.
package models
