//go:build !linux

package cage

import (
	"errors"
	"runtime"
)

// Apply does nothing here, and says so.
func Apply(Policy) Applied {
	none := runtime.GOOS + " has no cage"
	return Applied{LandlockWhy: none, SeccompWhy: none, LimitsWhy: none, CapsWhy: none}
}

// Become runs nothing here.
func Become(Policy, int, string, []string, []string) error {
	return errors.New(runtime.GOOS + " has no cage")
}

// Probe finds that nothing holds.
func Probe(Targets) []Finding {
	return []Finding{{Name: "cage", Detail: runtime.GOOS + " has none"}}
}
