// Package qdranttest is a small Qdrant in memory, for tests: the real protocol,
// served from the client library's own generated definitions on a loopback port,
// and a store that is slow, plain and as strict as the real one is where a client
// can go wrong: wrong dimensions, unknown collections, filters on fields without an
// index, point IDs that are no UUID, limits, messages that are too large. As the
// real one it normalizes vectors of cosine collections, applies a write that was not
// waited for some time later, and answers nothing it does not know with silence:
// what is not implemented is an error.
//
// [New] starts one for a test. Safe for concurrent use.
package qdranttest
