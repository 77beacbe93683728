package main

import (
	"context"
	"io"

	"semblance"
	"semblance/hashing"
)

// A watchedEngine is the Engine as the API has it: when the content of a collection changes
// over HTTP, a look-back is queued.
type watchedEngine struct {
	*semblance.Engine
	jobs *runner
}

// ImportHashes implements api.Filler.
func (w watchedEngine) ImportHashes(ctx context.Context, who semblance.Actor, collection, source string, def hashing.Algorithm, r io.Reader) (semblance.ImportResult, error) {
	res, err := w.Engine.ImportHashes(ctx, who, collection, source, def, r)
	if res.Added > 0 {
		w.changed(ctx, who)
	}
	return res, err
}

// DeleteCollection implements api.Keeper.
func (w watchedEngine) DeleteCollection(ctx context.Context, who semblance.Actor, name string) (semblance.Erasure, error) {
	e, err := w.Engine.DeleteCollection(ctx, who, name)
	if err == nil {
		w.changed(ctx, who)
	}
	return e, err
}

// changed queues a look-back where there is something to do. That it could not be is no
// failure of the change: it stays due.
func (w watchedEngine) changed(ctx context.Context, who semblance.Actor) {
	if err := w.jobs.lookBackIfDue(context.WithoutCancel(ctx), who); err != nil {
		w.jobs.log.Error("queue a look-back", "cause", err)
	}
}
