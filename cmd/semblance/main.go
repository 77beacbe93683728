// Command semblance compares seized media with reference collections: which files
// are known, whose face may be where, and why. It is pure Go; everything that
// parses foreign pixels runs in semblance-worker.
//
// Each command is a file. Commands that use what is stored go through one
// program (the store, the indexes, the workers and the Engine over them), opened
// here or, while `semblance serve` runs on the same data folder, there.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the zones of cases, where the machine has none
)

// version is set by the build.
var version = "development"

func main() {
	if len(os.Args) == 3 && os.Args[1] == cagedCommand {
		os.Exit(caged(os.Args[2]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt kills
	code := run(ctx, os.Args[1:], localStreams())
	stop()
	os.Exit(code)
}
