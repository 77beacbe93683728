// Command imagebench goes through a disk image as the worker does, without its cage, and
// writes what it holds into a folder, for scripts/bench to compare with what others find.
//
//	imagebench FOLDER IMAGE [SEGMENT...]
//
// It prints a line of JSON for each entry, and one with the notes.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"semblance"
	"semblance/containers"
)

func main() {
	if err := goThrough(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "imagebench:", err)
		os.Exit(1)
	}
}

// An entry is what is printed of one.
type entry struct {
	semblance.Entry
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
	File   string `json:"file,omitempty"`
	Error  string `json:"error,omitempty"`
}

func goThrough(folder string, paths []string) error {
	var parts []containers.Part
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		parts = append(parts, containers.Part{Name: filepath.Base(p), R: f, Size: info.Size()})
	}
	r, err := containers.Open(parts, containers.Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true, Verify: true}})
	if err != nil {
		return err
	}
	if r == nil {
		return errors.New("it is no image")
	}
	defer r.Close()
	out := json.NewEncoder(os.Stdout)
	for n := 0; ; n++ {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.Encode(r.Facts())
		}
		if err != nil {
			return err
		}
		x := entry{Entry: e, Name: string(e.Name)}
		if e.Kind == semblance.EntryFile && e.Code == "" {
			if err := x.save(r, filepath.Join(folder, fmt.Sprintf("%06d%s", n, filepath.Ext(x.Name)))); err != nil {
				return err
			}
		}
		if err := out.Encode(x); err != nil {
			return err
		}
	}
}

// save writes content; that it is damaged is noted, and what there is stays.
func (x *entry) save(r containers.Reader, path string) error {
	content, err := r.Open()
	if err != nil {
		x.Error = err.Error()
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), content); err != nil {
		x.Error = err.Error()
	}
	x.File, x.SHA256 = path, fmt.Sprintf("%x", sum.Sum(nil))
	return nil
}
