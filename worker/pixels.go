package worker

import (
	"io"
	"net"

	"semblance"
)

// MaxPictureBytes is how many bytes of pixels an answer has at most, over all frames.
const MaxPictureBytes = 36 << 20

// maxPictureSide is the longest side of a frame that can be asked for.
const maxPictureSide = 2048

// Pixels do not go through JSON, where they would cost more than decoding them did. They
// follow the frame of their analysis: those of every picture, one after the other, as many
// as its width and height say.

// sendPixels writes the pixels of pictures.
func sendPixels(c *net.UnixConn, pictures []semblance.Frame) error {
	for i := range pictures {
		if _, err := c.Write(pictures[i].RGB); err != nil {
			return err
		}
	}
	return nil
}

// readPixels reads the pixels of the pictures that a child announced, after making sure
// that they are not more than was asked for.
func readPixels(r io.Reader, pictures []semblance.Frame, b budget) error {
	total := 0
	for i := range pictures {
		p := &pictures[i]
		if p.Width < 1 || p.Height < 1 || max(p.Width, p.Height) > b.side {
			return violate("a frame of %d by %d pixels, where %d were asked for", p.Width, p.Height, b.side)
		}
		if total += 3 * p.Width * p.Height; i >= b.frames || total > MaxPictureBytes {
			return violate("more pixels than %d frames or %d bytes", b.frames, MaxPictureBytes)
		}
	}
	for i := range pictures {
		p := &pictures[i]
		p.RGB = make([]byte, 3*p.Width*p.Height)
		if _, err := io.ReadFull(r, p.RGB); err != nil {
			return err
		}
	}
	return nil
}
