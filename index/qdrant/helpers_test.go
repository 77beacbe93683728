package qdrant_test

import (
	"net"
	"strconv"
	"strings"
	"testing"

	api "github.com/qdrant/go-client/qdrant"

	"semblance/index/qdrant/qdranttest"
)

func split(t *testing.T, addr string) (string, int) {
	t.Helper()
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// wipeVectors deletes the vectors of a server, and leaves the state.
func wipeVectors(t *testing.T, s *qdranttest.Server) {
	t.Helper()
	host, port := split(t, s.Addr())
	c, err := api.NewClient(&api.Config{Host: host, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	names, err := c.ListCollections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.Contains(n, "face.") {
			if err := c.DeleteCollection(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
}
