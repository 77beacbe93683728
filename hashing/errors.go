package hashing

// A SyntaxError says why a text is not a hash or an algorithm. Msg is a whole
// sentence without the final stop. It never repeats a hash value: hash lists
// are sensitive and messages end up in logs.
type SyntaxError struct {
	Msg string
	// Unstated says that the digits may be of several algorithms, and nothing says of
	// which: whoever has the list must be asked.
	Unstated bool
}

func (e *SyntaxError) Error() string { return e.Msg }

// A PixelsError says why pixels cannot be hashed, as a whole sentence.
type PixelsError struct {
	Msg string
}

func (e *PixelsError) Error() string { return e.Msg }
