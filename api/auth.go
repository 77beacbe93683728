package api

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"semblance"
)

// withToken lets only known callers pass, except to the open routes. It denies by
// default: a route that nobody opened needs a token, and so does one that is not
// there.
func (s *Server) withToken(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.open[c.Path()] {
			return next(c)
		}
		r := c.Request()
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			return semblance.Errorf(semblance.Unauthenticated, "a token is needed").
				WithHint("Send it as the header Authorization: Bearer TOKEN; `semblance token create NAME` makes one.")
		}
		// The token is looked up by its hash, so that no comparison depends on how
		// much of a guess is right.
		name, err := s.parts.Token(r.Context(), sha256.Sum256([]byte(token)))
		if err != nil {
			return s.refused(remote(r), err)
		}
		via := "api"
		if r.Header.Get("Semblance-Client") == "page" {
			via = "page"
		}
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), actorKey{}, semblance.Actor{Name: name, Via: via})))
		return next(c)
	}
}

// refused counts a wrong token; who sends many is told to wait. A right one always
// passes, so that nobody can lock others out.
func (s *Server) refused(from string, err error) error {
	if semblance.CodeOf(err) != semblance.Unauthenticated {
		return err
	}
	s.metrics.refused.Inc()
	wait := s.fails.add(from)
	if wait <= 0 {
		return err
	}
	return &detailed{error: semblance.Errorf(semblance.RateLimited, "too many wrong tokens came from this address").
		WithHint("Wait, and check the token."), retry: int(wait/time.Second) + 1}
}

// failures counts wrong tokens by address, within a window.
type failures struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*failed
}

type failed struct {
	count int
	since time.Time
}

// A caller may be wrong maxFailures times a failureWindow; maxAddresses bounds the
// memory that strangers can take.
const (
	maxFailures   = 10
	failureWindow = time.Minute
	maxAddresses  = 10_000
)

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, by: map[string]*failed{}}
}

// add counts one and returns how long the address has to wait, 0 when it need not.
func (f *failures) add(from string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if len(f.by) >= maxAddresses {
		clear(f.by)
	}
	x := f.by[from]
	if x == nil || now.Sub(x.since) >= failureWindow {
		x = &failed{since: now}
		f.by[from] = x
	}
	if x.count++; x.count <= maxFailures {
		return 0
	}
	return failureWindow - now.Sub(x.since)
}
