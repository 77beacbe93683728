// Package scan takes a folder as an exhibit: it walks it in a fixed order, skips
// what is recorded and unchanged, examines the rest on several lanes and commits
// the results in the order of the walk, so that a scan that was interrupted and
// run again records what an undisturbed one would have.
//
// The two names most callers need are [Scanner] and [Options]. A Scanner never
// prints: it reports through [Options.Event] and [Options.Progress]. Run may be
// called from one goroutine for one exhibit at a time; the store holds a lease
// against a second one. Events, their order and the fields of [Summary] stay
// compatible.
package scan
