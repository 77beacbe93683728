package containers

import (
	"io"

	"semblance"
)

type carver struct{}

func newCarver(device, []span, func(done, total int64)) *carver { return &carver{} }
func (c *carver) next() (semblance.Entry, io.Reader, error)     { return semblance.Entry{}, nil, io.EOF }
func (c *carver) notes() []string                               { return nil }
