package qdrant

import (
	"context"
	"errors"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"semblance"
)

// failed translates the error of a call. What names the call, as in "refused to
// delete".
func (x *Index) failed(ctx context.Context, what string, err error) error {
	if own := context.Cause(ctx); own != nil {
		return own
	}
	var full *api.QdrantResourceExhaustedError
	if errors.As(err, &full) {
		return x.full(err)
	}
	switch code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return x.silent(err)
	case codes.Unauthenticated, codes.PermissionDenied:
		return semblance.Errorf(semblance.Unavailable, "Qdrant at %s refuses the API key", x.server).
			WithHint("Set the API key of the server, with the right to write.").WithCause(err)
	case codes.ResourceExhausted:
		return x.full(err)
	case codes.NotFound:
		x.forget()
		return semblance.Errorf(semblance.Internal, "a collection of Qdrant at %s is gone", x.server).
			WithHint("Try again: it is made again from the store.").WithCause(err)
	}
	return semblance.Errorf(semblance.Internal, "Qdrant at %s refused to %s", x.server, what).
		WithHint("The log has Qdrant's own words.").WithCause(err)
}

// silent is the error of a server that cannot be reached.
func (x *Index) silent(err error) error {
	return semblance.Errorf(semblance.Unavailable, "Qdrant at %s does not answer", x.server).
		WithHint("Start it, or correct the address. Nothing is lost: the index can be made again from the store.").WithCause(err)
}

// full is the error of a server that has no room or time.
func (x *Index) full(err error) error {
	return semblance.Errorf(semblance.Unavailable, "Qdrant at %s has no room for the request", x.server).
		WithHint("Try again later; when it lasts, give the server more memory or disk, or raise its limits.").WithCause(err)
}

// code returns the status of a call, OK for nil.
func code(err error) codes.Code {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return s.GRPCStatus().Code()
	}
	if err == nil {
		return codes.OK
	}
	return codes.Unknown
}

// done demands that a write was not only acknowledged but carried out.
func (x *Index) done(ctx context.Context, what string, r *api.UpdateResult, err error) error {
	if err != nil {
		return x.failed(ctx, what, err)
	}
	if r.GetStatus() != api.UpdateStatus_Completed {
		return semblance.Errorf(semblance.Unavailable, "Qdrant at %s did not %s in time (%s)", x.server, what, r.GetStatus()).
			WithHint("Try again when the server is less busy, and look after its replicas.")
	}
	return nil
}
