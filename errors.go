package semblance

import (
	"context"
	"errors"
	"fmt"
)

// A Code classifies an error. Codes are part of the public contract: they name
// problem types in the HTTP API and decide exit statuses at the command line.
// A Code is itself an error, so that callers can write
// errors.Is(err, semblance.NotFound).
type Code string

// Error returns the code's text, such as "not-found".
func (c Code) Error() string { return string(c) }

// The codes. docs/problems has a page for each.
const (
	Invalid           Code = "invalid"            // malformed request, flag or input
	Unauthenticated   Code = "unauthenticated"    // no token, or one that is not known
	Forbidden         Code = "forbidden"          // known caller, not allowed
	NotFound          Code = "not-found"          // no such case, collection, file
	Conflict          Code = "conflict"           // name taken, stale version, data folder in use
	ModelMismatch     Code = "model-mismatch"     // signals of different engines or versions
	MediaTooLarge     Code = "media-too-large"    // over bytes, pixels, frames, seconds or memory
	MediaUnsupported  Code = "media-unsupported"  // not a format that is read
	MediaDamaged      Code = "media-damaged"      // a format that is read, but does not decode
	MediaEncrypted    Code = "media-encrypted"    // encrypted, and no password that was given opens it
	FaceCount         Code = "face-count"         // enrollment needs exactly one face
	EnrollmentRefused Code = "enrollment-refused" // the enrollment gate of a collection does not let the picture through
	RateLimited       Code = "rate-limited"       // the caller's quota
	Busy              Code = "busy"               // every lane is taken
	Unavailable       Code = "unavailable"        // a model, a library or a server is missing or down
	Timeout           Code = "timeout"            // our own deadline passed
	Canceled          Code = "canceled"           // the caller left
	Internal          Code = "internal"           // everything without a code
)

// Codes lists every code, in the order of the documentation.
func Codes() []Code {
	return []Code{Invalid, Unauthenticated, Forbidden, NotFound, Conflict, ModelMismatch,
		MediaTooLarge, MediaUnsupported, MediaDamaged, MediaEncrypted, FaceCount, EnrollmentRefused, RateLimited, Busy,
		Unavailable, Timeout, Canceled, Internal}
}

// An Error is a failure with a code, a sentence that is safe to show to any
// client, what to do about it, and a private cause that is logged and never sent.
type Error struct {
	Code Code
	Msg  string // a sentence: what is wrong. No path, SQL or stack of the server's own.
	Hint string // what to do; may be empty
	Err  error  // the private cause; may be nil
}

// Errorf makes an Error whose message is formatted. A %w verb sets the private
// cause; since the message is public, wrap only causes that may be shown.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint sets what to do about the error and returns it.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithCause sets the private cause and returns the error.
func (e *Error) WithCause(err error) *Error {
	e.Err = err
	return e
}

// Error returns the public sentence.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's code.
func (e *Error) Is(target error) bool { return target == error(e.Code) }

// CodeOf returns the code of err: that of the first Error in its chain, Canceled
// or Timeout for a context's errors, Internal for anything else, "" for nil.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Internal
}

// HintOf returns the hint of the first Error in err's chain that has one.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
