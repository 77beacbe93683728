// Package kept finds stored media by the perceptual hashes that were kept of them, for
// many values at once: what a look-back asks when a collection has grown. It implements
// [semblance.KeptIndex].
//
// Most callers need [Open] and [Index.Near]. Values lie one after the other in files that
// are written once; nothing is sorted or tabled on disk, because a look-back reads all of
// them anyway. An Index is safe for concurrent use and owns its folder. The files are
// made from the store and can be deleted while the program does not run; their format may
// change, and they are then made again.
package kept
