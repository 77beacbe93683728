package store

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"semblance"
)

// fail codes what went wrong during op. Errors that have a code keep it, and so
// do a context's.
func (s *Store) fail(ctx context.Context, op string, err error) error {
	var coded *semblance.Error
	var callers callerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &callers):
		return callers.error
	case errors.As(err, &coded):
		return err
	case ctx.Err() != nil:
		return stopped(ctx, op)
	}
	if known := s.driverError(err); known != nil {
		return known
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return noSpace(err)
	}
	return semblance.Errorf(semblance.Internal, "the store could not %s", op).WithCause(err)
}

// A callerError is one that a caller's function returned, to be given back as it is.
type callerError struct{ error }

// calledBack marks what a caller's function returned.
func calledBack(err error) error {
	if err == nil {
		return nil
	}
	return callerError{err}
}

// stopped says that the caller left, or that the time was up.
func stopped(ctx context.Context, op string) error {
	err := context.Cause(ctx)
	if code := semblance.CodeOf(err); code != semblance.Canceled && code != semblance.Timeout {
		return err // the caller's own reason
	}
	return semblance.Errorf(semblance.CodeOf(ctx.Err()), "stopped before the store could %s", op).WithCause(err)
}

func noSpace(err error) error {
	return semblance.Errorf(semblance.Unavailable, "there is no space left in the data folder; nothing that was recorded is lost").
		WithHint("Free space on that disk, or move the data folder to a larger one, and run the command again.").WithCause(err)
}

func damaged(err error) error {
	return semblance.Errorf(semblance.Unavailable, "the data folder's %s is damaged", DataFile).
		WithHint("Stop, keep a copy of the folder as it is, and restore the latest backup.").WithCause(err)
}

// folderError codes an error of the file system in the data folder.
func folderError(op string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return noSpace(err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return semblance.Errorf(semblance.Unavailable, "the data folder may not be written: could not %s", op).
			WithHint("Check that the folder and its files belong to you, or name another one with --data.").WithCause(err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return semblance.Errorf(semblance.Invalid, "the data folder is not a folder").
			WithHint("Name a folder with --data; it is made when it is not there.").WithCause(err)
	}
	return semblance.Errorf(semblance.Unavailable, "the data folder cannot be used: could not %s", op).WithCause(err)
}
