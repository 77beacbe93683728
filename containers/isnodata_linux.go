package containers

import (
	"errors"
	"syscall"
)

// isNoData reports whether a file system says that nothing but a hole follows.
func isNoData(err error) bool { return errors.Is(err, syscall.ENXIO) }
