//go:build !cgo || !native

package main

import (
	"os"

	"semblance"
	"semblance/worker"
)

// program of a build without C decodes nothing and says why.
func program() worker.Program {
	return worker.Program{
		Facts: facts(nil),
		Analyze: func(*os.File, semblance.AnalyzeRequest) (semblance.Analysis, error) {
			return semblance.Analysis{}, withoutC()
		},
		Check: func(semblance.EngineName) (map[string]string, error) { return nil, withoutC() },
	}
}

func withoutC() error {
	return semblance.Errorf(semblance.Unavailable, "this semblance-worker was built without its C libraries and cannot decode pictures").
		WithHint("Build it with make build on a machine with a C++ compiler.")
}
