package embeddings

import "semblance"

const (
	// dlibSide is the longer side to which pictures are reduced before go-face sees
	// them. HOG looks at every pixel at every scale: 340 ms at 1600 by 1067, 3 s at
	// 12 megapixels. Its window is 80 pixels, so faces under 80/1600 of the longer
	// side are lost to it in large pictures.
	dlibSide = 1600
	// dlibQuality is the JPEG quality of the copy that go-face is given, with full
	// color resolution.
	dlibQuality = 98
)

// dlibSize is the size of the copy that go-face is given.
func dlibSize(width, height int) (w, h int) {
	longer := max(width, height)
	if longer <= dlibSide {
		return width, height
	}
	return max(1, (width*dlibSide+longer/2)/longer), max(1, (height*dlibSide+longer/2)/longer)
}

// dlibLandmarks are eyes and nose from dlib's five points: the corners of the eye
// that is right in the picture (outer, inner), of the left one, and the base of the nose. There
// is no mouth.
func dlibLandmarks(p []semblance.Point) []semblance.Point {
	if len(p) != 5 {
		return nil
	}
	middle := func(a, b semblance.Point) semblance.Point {
		return semblance.Point{X: (a.X + b.X) / 2, Y: (a.Y + b.Y) / 2}
	}
	return []semblance.Point{middle(p[2], p[3]), middle(p[0], p[1]), p[4]}
}
