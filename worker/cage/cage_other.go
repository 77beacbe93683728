//go:build !linux

package cage

import "runtime"

// Apply does nothing here, and says so.
func Apply(Policy) Applied {
	none := runtime.GOOS + " has no cage"
	return Applied{LandlockWhy: none, SeccompWhy: none, LimitsWhy: none, CapsWhy: none}
}

// Probe finds that nothing holds.
func Probe(Targets) []Finding {
	return []Finding{{Name: "cage", Detail: runtime.GOOS + " has none"}}
}
