package qdranttest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// maxMessage is the largest request that is taken. The real server takes more, but
// fails oddly on huge ones; clients are told to stay below 5 MB.
const maxMessage = 5_000_000

// A Server is a running Qdrant.
type Server struct {
	addr string
	key  string

	mu          sync.Mutex
	collections map[string]*collection
	calls       map[string]int
	fault       func(method string, n int) error
	lazy        bool
	version     string
}

// New starts a server on a loopback port. It stops with the test.
func New(t testing.TB) *Server { return NewWithKey(t, "") }

// NewWithKey starts a server that wants an API key.
func NewWithKey(t testing.TB, key string) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{addr: l.Addr().String(), key: key, collections: map[string]*collection{}, calls: map[string]int{}, version: "1.18.2"}
	g := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.UnaryInterceptor(s.intercept),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	api.RegisterQdrantServer(g, health{s: s})
	api.RegisterCollectionsServer(g, collections{s: s})
	api.RegisterPointsServer(g, points{s: s})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Serve(l) // returns when stopped
	}()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	return s
}

// Addr is host and port of the server.
func (s *Server) Addr() string { return s.addr }

// Fail makes f decide what becomes of each call: an error is answered instead of
// doing anything. Method is the last part of the name, such as "Upsert"; n counts
// the calls of it from 1.
func (s *Server) Fail(f func(method string, n int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
	clear(s.calls)
}

// Lazy makes the server only acknowledge writes, waited for or not, as one does
// that is overloaded or whose replicas are gone.
func (s *Server) Lazy(lazy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lazy = lazy
}

// SetVersion changes the version the server says it has.
func (s *Server) SetVersion(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = v
}

// Calls returns how often a method was called since the last Fail.
func (s *Server) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Points returns how many points all collections hold whose payload has value
// under key.
func (s *Server) Points(key, value string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.collections {
		for _, p := range c.points {
			if p.payload[key].GetStringValue() == value {
				n++
			}
		}
	}
	return n
}

func (s *Server) intercept(ctx context.Context, req any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if s.key != "" {
		md, _ := metadata.FromIncomingContext(ctx)
		if got := md.Get("api-key"); len(got) != 1 || got[0] != s.key {
			return nil, status.Error(codes.Unauthenticated, "Must provide an API key or an Authorization bearer token")
		}
	}
	s.mu.Lock()
	method := call.FullMethod[strings.LastIndexByte(call.FullMethod, '/')+1:]
	s.calls[method]++
	n, fault := s.calls[method], s.fault
	s.mu.Unlock()
	if fault != nil {
		if err := fault(method, n); err != nil {
			return nil, err
		}
	}
	return handle(ctx, req)
}

// health answers the version check.
type health struct {
	api.UnimplementedQdrantServer
	s *Server
}

func (h health) HealthCheck(context.Context, *api.HealthCheckRequest) (*api.HealthCheckReply, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return &api.HealthCheckReply{Title: "qdrant - vector search engine", Version: h.s.version}, nil
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}
