package qdrant

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"semblance"
)

var _ semblance.VectorIndex = (*Index)(nil)

const (
	defaultPort   = 6334
	defaultPrefix = "semblance"
	// clientVersion is the version of the protocol that is spoken. The server's minor
	// version may differ by one.
	clientVersion = "1.18.3"
	// helloTimeout is how long Open waits for an answer when ctx has no deadline.
	helloTimeout = 10 * time.Second
	// maxAnswer is the largest answer that is read; grpc's 4 MiB are too few.
	maxAnswer = 256 << 20
)

// Options are what the address of a server does not say.
type Options struct {
	APIKey   string      // sent with every call; needs TLS unless the server is this machine or the address says tls=0
	TLS      *tls.Config // nil for the system's roots; used when the address says tls=1
	Replicas uint32      // of each Qdrant collection that is created; 0 is the server's default
}

// An Index is a vector index on a server. Close it.
type Index struct {
	client   *api.Client
	server   string // host:port, for messages
	prefix   string
	replicas uint32

	changes sync.Mutex // one change at a time from here
	mu      sync.Mutex // guards ready
	ready   map[string]bool
}

// Open connects to a server and asks for its version. The address is
//
//	qdrant://host:6334/prefix?tls=1
//
// The port may be left out, and the prefix, which keeps installations that share a
// server apart, is "semblance" then. The error has code Invalid for a wrong address
// and Unavailable when the server does not answer or is of a version that is not
// known to work.
func Open(ctx context.Context, address string, o Options) (*Index, error) {
	a, err := parse(address)
	if err != nil {
		return nil, err
	}
	if o.APIKey != "" && !a.tls && !a.plain && !loopback(a.host) {
		return nil, semblance.Errorf(semblance.Invalid, "the API key of Qdrant at %s would be sent without encryption", a.hostPort()).
			WithHint("Turn on TLS in Qdrant and write ?tls=1 at the end of the address; on a network that nobody else is on, write ?tls=0.")
	}
	client, err := api.NewClient(&api.Config{
		Host: a.host, Port: a.port, APIKey: o.APIKey, UseTLS: a.tls, TLSConfig: o.TLS,
		SkipCompatibilityCheck: true, // it only logs; hello refuses
		RetryConfig:            &api.RetryConfig{MaxRetries: 3, BaseBackoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second},
		GrpcOptions:            []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer))},
	})
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "%q is not the address of a Qdrant", address).WithCause(err)
	}
	x := &Index{client: client, server: a.hostPort(), prefix: a.prefix, replicas: o.Replicas, ready: map[string]bool{}}
	if err := x.hello(ctx); err != nil {
		_ = client.Close() // the error that matters is the server's
		return nil, err
	}
	return x, nil
}

// Close ends the connections.
func (x *Index) Close() error { return x.client.Close() }

// hello asks for the server's version.
func (x *Index) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout, x.silent(nil))
	defer cancel()
	reply, err := x.client.HealthCheck(ctx)
	if err != nil {
		return x.failed(ctx, "say its version", err)
	}
	if !api.IsCompatible(clientVersion, reply.GetVersion()) {
		return semblance.Errorf(semblance.Unavailable, "Qdrant at %s has version %s, which is not known to work", x.server, reply.GetVersion()).
			WithHint("Use a version whose minor number differs by at most one from %s.", clientVersion)
	}
	return nil
}

// An address is the parts of the address of a server.
type address struct {
	host, prefix string
	port         int
	tls          bool
	plain        bool // tls=0 was written: no encryption, on purpose
}

func (a address) hostPort() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }

// prefixes are what a prefix may be. It has no "_", which ends it in the names of
// Qdrant collections.
var prefixes = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// parse reads an address. The error has code Invalid.
func parse(s string) (address, error) {
	wrong := func(why string) (address, error) {
		return address{}, semblance.Errorf(semblance.Invalid, "the address of Qdrant is wrong: %s", why).
			WithHint("It looks like qdrant://host:6334/prefix?tls=1; port, prefix and tls may be left out.")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "qdrant" || u.Hostname() == "" || u.Fragment != "":
		return wrong("it is not of the form qdrant://host")
	case u.User != nil:
		return wrong("an API key or a password does not belong in it")
	}
	a := address{host: u.Hostname(), port: defaultPort, prefix: defaultPrefix}
	if p := u.Port(); p != "" {
		if a.port, err = strconv.Atoi(p); err != nil || a.port < 1 || a.port > 65535 {
			return wrong("the port is not one")
		}
	}
	if len(u.Path) > 1 {
		a.prefix = u.Path[1:]
	}
	if !prefixes.MatchString(a.prefix) {
		return wrong("the prefix has other characters than a-z, 0-9 and -")
	}
	for key, values := range u.Query() {
		if key != "tls" || len(values) != 1 || values[0] != "0" && values[0] != "1" {
			return wrong("only tls=0 or tls=1 may follow the question mark")
		}
		a.tls = values[0] == "1"
		a.plain = !a.tls
	}
	return a, nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
