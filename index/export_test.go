package index

// Dots and DotsGeneric are the kernel and its slow twin.
var (
	Dots        = dots
	DotsGeneric = dotsGeneric
)

// Stride is the length of a coded row.
var Stride = stride

// RowLimit and QueryLimit bound coded numbers.
const RowLimit = rowLimit

// QueryLimit bounds the numbers of a coded query.
var QueryLimit = queryLimit
