package provider

import (
	"bytes"
	"context"
	"reflect"
	"time"

	"semblance"
	"semblance/hashing"
)

// A Trial is what asking a provider about a generated picture gave.
type Trial struct {
	Provider  semblance.ProviderName   `json:"provider"`
	Version   string                   `json:"version"`
	First     time.Duration            `json:"-"`    // until the first answer, the program's start included
	Second    time.Duration            `json:"-"`    // for the same picture again
	Same      bool                     `json:"same"` // both answers were the same
	Algorithm hashing.Algorithm        `json:"algorithm,omitempty"`
	Value     string                   `json:"value,omitempty"`
	Trivial   bool                     `json:"trivial,omitempty"` // all zeros or ones: never compared
	Statement semblance.FrameStatement `json:"statement"`
	Faces     *int                     `json:"faces,omitempty"` // nil: it gives none
}

// Try verifies a provider, starts it and asks it twice about a generated picture. The
// error has code NotFound, Unavailable or Internal.
func (h *Host) Try(ctx context.Context, name semblance.ProviderName) (Trial, error) {
	t := Trial{Provider: name}
	if err := h.Verify(ctx, name); err != nil {
		return t, err
	}
	b := h.bundle(name)
	t.Version = b.manifest.Version
	var both [2]gift
	for i, took := range []*time.Duration{&t.First, &t.Second} {
		start := time.Now()
		pic := generated()
		got, err := h.ask(ctx, b, []picture{pic}, 1)
		if err != nil {
			if code(err) == semblance.Unavailable || ctx.Err() != nil {
				return t, err
			}
			return t, semblance.Errorf(semblance.Internal, "provider %q: %v", string(name), err).
				WithHint("docs/providers.md has the protocol; what the program prints on standard error is logged.")
		}
		*took, both[i] = time.Since(start), got[0]
	}
	g := both[0]
	t.Same = bytes.Equal(g.value, both[1].value) && reflect.DeepEqual(g, both[1])
	t.Statement = g.statement
	if g.value != nil {
		t.Algorithm = b.manifest.Spec().Algorithm
		t.Value, t.Trivial = t.Algorithm.Text(g.value), hashing.IsTrivial(t.Algorithm, g.value)
	}
	if b.manifest.Faces != nil {
		n := len(g.faces)
		t.Faces = &n
	}
	return t, nil
}

// generated is a picture of slopes, edges and texture, the same everywhere.
func generated() picture {
	const w, h = 640, 480
	p := picture{Width: w, Height: h, Orientation: 1, rgb: make([]byte, 3*w*h)}
	state := uint32(1)
	for y := range h {
		for x := range w {
			state = state*1664525 + 1013904223
			v := x*255/w/2 + y*255/h/2
			if (x/80+y/60)%2 == 0 {
				v = 255 - v
			}
			at := 3 * (y*w + x)
			p.rgb[at], p.rgb[at+1], p.rgb[at+2] = byte(v), byte((v+x/3)%256), byte((v+int(state>>28))%256)
		}
	}
	return p
}
