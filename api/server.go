package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"semblance"
)

// Options are what the service may be told.
type Options struct {
	Version string // of the program
	Base    string // what problem types begin with, such as "https://semblance.example"; "" makes them relative
	// Local refuses requests whose Host header is neither one of this machine's own
	// names nor Base's (a proxy's on this machine): set when the service listens on
	// loopback only, against DNS rebinding.
	Local      bool
	MediaBytes int64 // of one picture; 0 is DefaultLimits'
	// Heartbeat is the time between comments that keep a stream of events open; 0 is 15 s.
	Heartbeat time.Duration
	// Now tells the time, nil is time.Now.
	Now func() time.Time
}

// jsonBytes is the largest body that is JSON.
const jsonBytes = 1 << 20

// A Server answers requests. It is made by New and safe for concurrent use.
type Server struct {
	parts   Parts
	opts    Options
	echo    *echo.Echo
	huma    huma.API
	open    map[string]bool // routes that need no token
	fails   *failures
	metrics *metrics
	openapi []byte
	host    string // of Base
	stop    chan struct{}
	stopped sync.Once
}

// New returns a Server over parts. It starts nothing; the caller serves Handler.
func New(p Parts, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.MediaBytes <= 0 {
		o.MediaBytes = semblance.DefaultLimits().Bytes
	}
	s := &Server{parts: p, opts: o, echo: echo.New(), open: map[string]bool{}, fails: newFailures(o.Now), stop: make(chan struct{})}
	if u, err := url.Parse(o.Base); err == nil {
		s.host = u.Host
	}
	s.metrics = newMetrics(s.countJobs)
	s.echo.HTTPErrorHandler = s.handleError
	s.echo.Use(s.middlewares()...)
	s.huma = humaecho.New(s.echo, s.humaConfig())
	s.routes()
	var err error
	if s.openapi, err = json.MarshalIndent(s.huma.OpenAPI(), "", " "); err != nil {
		return nil, fmt.Errorf("describe the routes: %w", err)
	}
	return s, nil
}

// Handler answers the service's requests.
func (s *Server) Handler() http.Handler { return s.echo }

// HTTP returns an http.Server with the time limits that the handlers rely on: none
// for whole requests, since lookups and uploads take as long as they take, but each
// read and write of one has to get somewhere (see patience).
func (s *Server) HTTP() *http.Server {
	h := &http.Server{Handler: s.echo, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	h.RegisterOnShutdown(s.Stop)
	return h
}

// Stop ends the streams of events, which would otherwise hold a shutdown up.
func (s *Server) Stop() { s.stopped.Do(func() { close(s.stop) }) }

// middlewares is the order in which every request passes.
func (s *Server) middlewares() []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{
		s.withRequestID,
		s.withAccessLog, // logs and counts what those below answer
		s.withRecover,
		s.withHeaders,
		s.withPatience,
		s.withHost,
		s.withParams,
		s.withToken,
	}
}

func (s *Server) humaConfig() huma.Config {
	c := huma.DefaultConfig("Semblance", s.opts.Version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema links in answers
	c.Transformers = []huma.Transformer{s.transform}
	c.Info.Description = "Compares seized media with reference collections and says why. A candidate is a lead for a trained examiner, never an identification."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	return c
}

// routes registers every route: one function for each resource.
func (s *Server) routes() {
	s.openRoutes()
	s.caseRoutes()
	s.collectionRoutes()
	s.calibrationRoutes()
	s.findingRoutes()
	s.searchRoutes()
	s.groupRoutes()
	s.lookbackRoutes()
	s.stackRoutes()
	s.linkRoutes()
	s.jobRoutes()
	s.scanRoutes()
	s.pictureRoutes()
	s.reportRoutes()
}

// do registers a route whose body and answer are JSON.
func do[I, O any](s *Server, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	op.Security = []map[string][]string{{"token": {}}}
	op.MaxBodyBytes, op.BodyReadTimeout = jsonBytes, -1 // withPatience has the time limits
	op.Errors = []int{400, 401, 404, 409, 422, 429, 500, 503}
	s.describeErrors(&op)
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
}

// raw registers a route that streams; op describes it in the same document.
func (s *Server) raw(op huma.Operation, h echo.HandlerFunc) {
	op.Security = []map[string][]string{{"token": {}}}
	op.Errors = nil
	s.describeErrors(&op)
	s.huma.OpenAPI().AddOperation(&op)
	s.echo.Add(op.Method, echoPath(op.Path), h)
}

// describeErrors says that every failure is a Problem.
func (s *Server) describeErrors(op *huma.Operation) {
	schema := s.schemaOf(Problem{})
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	content := map[string]*huma.MediaType{problemType: {Schema: schema}}
	op.Responses["default"] = &huma.Response{Description: "A problem; code says which", Content: content}
	for _, status := range op.Errors {
		op.Responses[fmt.Sprint(status)] = &huma.Response{Description: http.StatusText(status), Content: content}
	}
	op.Errors = nil
}

// who is the caller, for the audit chain.
func who(ctx context.Context) semblance.Actor {
	a, _ := ctx.Value(actorKey{}).(semblance.Actor)
	return a
}

type (
	actorKey   struct{}
	requestKey struct{}
)

// requestIDOf is the number of the request, as in its log lines.
func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// newUUID is a random UUID, version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// IsLoopback reports whether an address such as "127.0.0.1:8080" can be reached
// from this machine only.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
