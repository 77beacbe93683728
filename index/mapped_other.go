//go:build !unix

package index

import (
	"os"
)

// mapTray reads a tray's file into memory, where files are not mapped.
func mapTray(path string) (*tray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTray(f)
}

// syncFolder does nothing where folders cannot be synced.
func syncFolder(string) error { return nil }
