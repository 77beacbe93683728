//go:build !cgo || !native

package media

import "semblance"

// average is averagePlain.
func average(to, f *semblance.Frame) { averagePlain(to, f) }
