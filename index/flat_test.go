package index_test

import (
	"testing"

	"semblance"
	"semblance/index"
	"semblance/index/indextest"
)

func TestFlatContract(t *testing.T) {
	t.Parallel()
	indextest.Vectors(t, func(*testing.T) semblance.VectorIndex { return index.NewFlat() })
}

func TestHashesContract(t *testing.T) {
	t.Parallel()
	indextest.HashIndex(t, func(*testing.T) semblance.HashIndex { return index.NewHashes() })
}
