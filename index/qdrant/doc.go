// Package qdrant is the vector index on a Qdrant server, for installations that are
// larger than one machine's memory. [Open] returns an [Index], which implements
// semblance.VectorIndex with the same answers as the flat index in memory: searches
// are exact, and complete down to ties.
//
// Every engine has one Qdrant collection; a reference collection is payload in it.
// Replace uploads under a new generation, which becomes visible when the state point
// that names it is written, after everything is in, so that searches see what was
// held before or after, and an upload that broke off is never taken for a whole one.
// The store remains the truth: all of this can be dropped and filled again.
//
// The Index is safe for concurrent use. docs/index.md has the layout.
package qdrant
