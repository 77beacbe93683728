// Package indextest is the contract of the indexes as tests: [Vectors] for a
// [semblance.VectorIndex], [HashIndex] for a [semblance.HashIndex]. An
// implementation calls one of them from a test of its own with a function that
// makes a fresh index. What an index answers is compared with an oracle that reads
// like the definition: every pair, nothing skipped.
package indextest
