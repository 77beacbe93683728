package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"semblance"
	"semblance/worker"
)

// Stamped by the Makefile with -X; a plain `go build` leaves them empty, and doctor
// says so.
var version, cxxFlags string

func main() {
	if err := worker.Serve(program()); err != nil {
		fmt.Fprintln(os.Stderr, "semblance-worker: error:", err)
		if hint := semblance.HintOf(err); hint != "" {
			fmt.Fprintln(os.Stderr, "semblance-worker: hint:", hint)
		}
		os.Exit(1)
	}
}

// facts are what doctor shows of this build.
func facts(libraries map[string]string) worker.Facts {
	f := worker.Facts{Program: version, CPU: cpuClass(), Libraries: libraries, Build: map[string]string{"go": runtime.Version()}}
	if f.Program == "" {
		f.Program = "not stamped"
	}
	f.Build["cxx-march"] = cxxFlags
	if cxxFlags == "" {
		f.Build["cxx-march"] = "not stamped: not built by make, and dlib's code may be for the building machine's CPU only"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return f
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "CGO_ENABLED", "CGO_CFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS", "GOAMD64", "GOARM64", "-tags", "vcs.revision", "vcs.modified":
			f.Build[s.Key] = s.Value
		}
	}
	return f
}
