//go:build !cgo || !native

package containers

import "semblance"

// openDisk of a build without C reads no file system and says why.
func openDisk(device, func(done int64)) (disk, error) {
	return nil, semblance.Errorf(semblance.Unavailable, "disk images cannot be read here: this semblance-worker was built without its C libraries").
		WithHint("Build it with make build on a machine with a C++ compiler.")
}

// DiskLibrary says that there is none.
func DiskLibrary() (string, error) {
	_, err := openDisk(nil, nil)
	return "", err
}
