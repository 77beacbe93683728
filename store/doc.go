// Package store keeps the records of an installation: cases, exhibits, items,
// media with their signals, findings, collections, requests, jobs, tokens and
// the audit chain. It hides SQL, files and locks behind the root package's
// contracts.
//
// Most callers need [Open] and [Store]. A Store owns its data folder: a second
// owner, in this or another process, is refused. It is safe for concurrent use;
// changes are done one after another, each in one transaction together with its
// audit event, and are on disk when a method returns. Whoever reads sees the
// state before or after a change, and never waits for it.
//
// Values returned are the caller's; values given are not kept. Errors are
// *semblance.Error. The layout of the folder and the canonical form of the audit
// chain are described in docs/store.md and stay readable by later versions.
package store
