// Package semblance is the language of the product: the nouns of seized media and
// reference collections, the contracts between the parts, the errors, and the
// [Engine] that uses them.
//
// Most callers need two names: [Engine], which compares media with collections and
// keeps the audit chain, and [Error], which every failure that a person sees is.
// The package imports the standard library and hashing only; everything that
// touches the world (store, index, worker, api) is an adapter one level down.
// Values are plain data and safe to copy; the Engine is safe for concurrent use.
package semblance
