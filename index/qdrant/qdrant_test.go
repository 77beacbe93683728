package qdrant_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	api "github.com/qdrant/go-client/qdrant"

	"semblance"
	"semblance/index/indextest"
	"semblance/index/qdrant"
	"semblance/index/qdrant/qdranttest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	indextest.Vectors(t, func(t *testing.T) semblance.VectorIndex {
		return open(t, qdranttest.New(t))
	})
}

// The same contract on a real server, SEMBLANCE_TEST_QDRANT=host:port. Everything
// it makes there has a prefix of its own and is deleted afterwards.
func TestContractOnServer(t *testing.T) {
	t.Parallel()
	addr := os.Getenv("SEMBLANCE_TEST_QDRANT")
	if addr == "" {
		t.Skip("SEMBLANCE_TEST_QDRANT is not set: the contract ran on qdranttest only")
	}
	indextest.Vectors(t, func(t *testing.T) semblance.VectorIndex {
		prefix := "kit-" + strings.ToLower(rand.Text())
		x, err := qdrant.Open(t.Context(), "qdrant://"+addr+"/"+prefix, qdrant.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			wipe(t, addr, prefix)
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		})
		return x
	})
}

// wipe deletes the Qdrant collections of a prefix.
func wipe(t *testing.T, addr, prefix string) {
	t.Helper()
	host, port := split(t, addr)
	c, err := api.NewClient(&api.Config{Host: host, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	names, err := c.ListCollections(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, prefix+"_") {
			if err := c.DeleteCollection(context.Background(), n); err != nil {
				t.Error(err)
			}
		}
	}
}

func open(t *testing.T, s *qdranttest.Server) *qdrant.Index {
	t.Helper()
	x, err := qdrant.Open(t.Context(), "qdrant://"+s.Addr()+"/test", qdrant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}
