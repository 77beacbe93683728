package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"semblance"
)

// withRequestID numbers the request. What a client sends as a number is not used:
// it would end up in the log.
func (s *Server) withRequestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := newUUID()
		c.Response().Header().Set("Request-Id", id)
		c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), requestKey{}, id)))
		return next(c)
	}
}

// withAccessLog logs and counts each request: the route, never what was asked for.
func (s *Server) withAccessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.opts.Now()
		if err := next(c); err != nil {
			s.handleError(err, c)
		}
		took := s.opts.Now().Sub(start)
		route, status := c.Path(), c.Response().Status
		if route == "" {
			route = "none"
		}
		s.metrics.request(c.Request().Method, route, status, took)
		s.parts.Log.LogAttrs(c.Request().Context(), slog.LevelInfo, "request", slog.String("request", requestIDOf(c.Request().Context())),
			slog.String("method", c.Request().Method), slog.String("route", route), slog.Int("status", status), slog.Duration("took", took),
			slog.Int64("bytes", c.Response().Size), slog.String("actor", who(c.Request().Context()).Name), slog.String("from", remote(c.Request())))
		return nil
	}
}

// withRecover turns a panic into an internal error with its stack in the log.
func (s *Server) withRecover(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return next(c)
	}
}

// withHeaders sets what browsers have to keep to. Nothing may be framed, cached or
// fetched from elsewhere, and no other origin may read an answer (there is no CORS).
func (s *Server) withHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// patience is how long one read or write of a body may take. A whole body may take
// any time as long as it moves; a caller that reads slowly slows its own answer down.
const (
	readPatience  = 30 * time.Second
	writePatience = 2 * time.Minute
)

// withPatience bounds every single read and write of the request.
func (s *Server) withPatience(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		rc := http.NewResponseController(c.Response().Writer)
		c.Response().Writer = &patientWriter{c.Response().Writer, rc}
		if c.Request().Body != nil && c.Request().Body != http.NoBody {
			c.Request().Body = &patientBody{c.Request().Body, rc}
		}
		return next(c)
	}
}

type patientBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

// Read reads with a deadline that is taken back: one that stayed would cancel the
// handler when it passes.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(time.Now().Add(readPatience)) // not every connection has deadlines
	n, err := b.ReadCloser.Read(p)
	_ = b.rc.SetReadDeadline(time.Time{})
	return n, err
}

type patientWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes with a deadline.
func (w *patientWriter) Write(p []byte) (int, error) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(writePatience))
	n, err := w.ResponseWriter.Write(p)
	_ = w.rc.SetWriteDeadline(time.Time{})
	return n, err
}

// FlushError flushes with a deadline.
func (w *patientWriter) FlushError() error {
	_ = w.rc.SetWriteDeadline(time.Now().Add(writePatience))
	err := w.rc.Flush()
	_ = w.rc.SetWriteDeadline(time.Time{})
	return err
}

// withHost refuses names that are not this machine's when the service is local: a
// web page elsewhere could have its name point here.
func (s *Server) withHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if host := c.Request().Host; s.opts.Local && !localHost(host) && (s.host == "" || !strings.EqualFold(host, s.host)) {
			return semblance.Errorf(semblance.Forbidden, "this service answers to the names of this machine only").
				WithHint("Use http://localhost or http://127.0.0.1 with the port, or name the proxy in front of it with --base-url.")
		}
		return next(c)
	}
}

func localHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// withParams unescapes the parts of the path: a case number can have a slash.
func (s *Server) withParams(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().URL.RawPath == "" {
			return next(c)
		}
		values := c.ParamValues()
		for i, v := range values {
			plain, err := url.PathUnescape(v)
			if err != nil {
				return semblance.Errorf(semblance.Invalid, "the path cannot be read")
			}
			values[i] = plain
		}
		c.SetParamValues(values...)
		return next(c)
	}
}

// remote is the caller's address without its port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "unknown"
	}
	return host
}

// gone reports whether an error is the caller's leaving.
func gone(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && ctx.Err() != nil
}
