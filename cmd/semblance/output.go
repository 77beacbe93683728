package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"semblance"
)

// forceFlag is the flag of a command that writes a file.
func forceFlag(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "write over the file when it is there already")
}

// writable says why a file is not to be written: what is there already stays, as it can be
// what was handed to somebody. It is asked before the work, and again before the file is
// put in its place.
func (e *env) writable(name string, force bool) error {
	if name == "-" {
		return nil
	}
	info, err := os.Lstat(e.path(name))
	switch {
	case err != nil: // it is not there, or writing will tell
		return nil
	case !info.Mode().IsRegular():
		return semblance.Errorf(semblance.Invalid, "%q is there already and is not a regular file", name).WithHint("Name a file that is not there yet.")
	case !force:
		return semblance.Errorf(semblance.Invalid, "%q is there already", name).WithHint("Name a file that is not there yet, or give --force to write over it.")
	}
	return nil
}

// writeFile writes a file that is whole or not there, through a temporary one beside it,
// and says so. "-" is standard output.
func (e *env) writeFile(name string, force bool, f func(io.Writer) error) (err error) {
	if name == "-" {
		return f(e.out)
	}
	if err := e.writable(name, force); err != nil {
		return err
	}
	path := e.path(name)
	tmp, err := os.CreateTemp(filepath.Dir(path), ".semblance-*")
	if err != nil {
		return semblance.Errorf(semblance.Invalid, "%q cannot be written", name).WithHint("Name a file in a folder that exists and that this user may write.").WithCause(err)
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := f(tmp); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return semblance.Errorf(semblance.Unavailable, "%q could not be written whole; is the disk full?", name).WithCause(err)
	}
	info, err := tmp.Stat()
	if err != nil {
		return err
	}
	if err := e.writable(name, force); err != nil { // made meanwhile
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	e.note("written: %s (%s)", printable(name), size(info.Size()))
	return nil
}
