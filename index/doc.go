// Package index finds, exactly, what a collection holds near a value: [Flat] the
// nearest subjects of face embeddings, [Hashes] the entries within a radius of a hash,
// both in memory or in mapped files.
//
// Both are derived from the store. What they do not hold they say (the version is 0); they
// are filled with Replace, follow with Update, and can be thrown away. Nothing is
// lost to speed: a fast pass only decides what cannot be in the answer, by a bound
// that is proved where it is computed, and what remains is ranked by the
// definition ([semblance.Metric.Distance], [hashing.PDQ.Distance]). The package
// indextest is the contract as tests; package qdrant is the same contract on a
// server.
//
// Everything here is safe for concurrent use. A search works on what was held when
// it began, and is not disturbed by changes that happen meanwhile. Entries are
// copied in, so that callers keep theirs.
package index
