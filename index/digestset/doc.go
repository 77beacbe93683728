// Package digestset keeps digest sets: hash lists of any size (NSRL has some 440
// million rows) in one immutable, memory-mapped file for each set and algorithm.
//
// [Library] is the folder of all sets: it makes them from sources ([Library.Build],
// [Library.Combine]) and looks digests up in them. [Set] is one file, for whoever needs
// only that. A file is opened in an instant, whatever its size, and is checked
// block by block when a block is first read; one that is cut short, altered or longer
// than it was is an error, never a digest that is not found.
//
// A set is built by an external sort in bounded memory. What was sorted is kept in
// a journal, so that an import which was stopped or killed goes on where it was; a
// finished file is written aside, synced and renamed. The format is in
// docs/digestsets.md.
//
// Everything here is safe for concurrent use, except a Set's Close while it is searched.
package digestset
