// Package exchange reads other people's formats, a file each: lists of digests that
// become digest sets.
//
// [Open] tells the format of a file, or takes it as it is said to be, and returns a
// [Source]: a [semblance.DigestSource] that is read row by row, knows the number of each row,
// and goes on after any of them. [Formats] lists what there is.
//
// Files are foreign: a row that cannot be read is a [semblance.BadRow] with its number
// and reason and never ends the reading, lines are bounded, and databases are opened read-only
// and immutable. A Source is for one goroutine.
package exchange
