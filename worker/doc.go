// Package worker starts, feeds, limits, recycles and replaces the programs that
// parse foreign pixels, and holds the protocol that both sides speak.
//
// What parses hostile bytes must not be what holds the keys. So every picture is
// decoded in a child process, semblance-worker, that sits in a cage (package
// worker/cage), gets one open descriptor at a time, and may crash, hang or be
// taken over without the service noticing more than one failed file. The parent
// trusts nothing a child says: sizes, counts, lengths and numbers of an answer
// are checked against what was asked before anything is kept.
//
// Most callers need two names: [Open], which makes a [Pool], and [Pool.Analyze].
// A Pool is safe for concurrent use and is closed by who opened it. The worker
// program itself needs [Serve]. Both sides are always of the same release; the
// protocol between them is not for others and may change at any time.
package worker
