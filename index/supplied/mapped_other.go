//go:build !unix

package supplied

import (
	"os"

	"semblance/hashing"
)

// mapTray reads a tray's file into memory, where files are not mapped.
func mapTray(path string, a hashing.Algorithm) (*tray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTray(f, a)
}

// syncFolder does nothing where folders cannot be synced.
func syncFolder(string) error { return nil }
