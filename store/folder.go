package store

import (
	"errors"
	"fmt"
	"os"

	"semblance"
)

// makeFolder makes the data folder, or closes one that is empty or ours to
// others. A folder with other things in it keeps its mode: it may be anybody's.
func makeFolder(dir, file string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folderError("make the folder", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return folderError("open the folder", err)
	}
	if info.Mode().Perm()&0o077 == 0 || info.Mode()&os.ModeSticky != 0 {
		return nil
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return folderError("open the folder", err)
	}
	if _, err := os.Stat(file); err != nil && len(names) > 0 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return folderError("close the folder to others", err)
	}
	return nil
}

// An ownerLock is held while a Store is open.
type ownerLock struct{ f *os.File }

// lockOwner takes the lock and writes who holds it. The kernel gives the lock
// back when the process ends, however it ends.
func lockOwner(name string) (*ownerLock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderError("open the lock", err)
	}
	held, err := tryLock(f)
	if err == nil && held {
		err = inUse(f)
	}
	if err == nil {
		err = writeOwner(f)
	}
	if err != nil {
		_ = f.Close()
		var coded *semblance.Error
		if errors.As(err, &coded) {
			return nil, err
		}
		return nil, folderError("lock the folder", err)
	}
	return &ownerLock{f}, nil
}

// inUse names the owner from what it wrote into the lock.
func inUse(f *os.File) error {
	who := "another process"
	var pid int
	var host string
	if _, err := fmt.Fscan(f, &pid, &host); err == nil && pid > 0 {
		who = fmt.Sprintf("process %d", pid)
		if own, err := os.Hostname(); err == nil && own != host {
			who += " on " + host
		}
	}
	return semblance.Errorf(semblance.Conflict, "the data folder is in use by %s", who).
		WithHint("Stop that process, or, when it is `semblance serve`, run the command as the same user: it then goes through the server.")
}

func writeOwner(f *os.File) error {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), host), 0)
	return err
}

// release gives the lock back. The file stays: removing it would let two owners
// lock two files of one name.
func (l *ownerLock) release() error {
	if l == nil || l.f == nil {
		return nil
	}
	err := errors.Join(unlock(l.f), l.f.Close())
	l.f = nil
	return err
}
