package api

import (
	"github.com/labstack/echo/v4"

	"semblance"
)

const (
	minFaceHelp  = "Look for faces down to so many pixels, 8 to 10000, with tiles of the picture; without it, for what the reduced picture shows"
	minScoreHelp = "Least detector score of a face, 0.1 to 1; without it, the engine's own"
)

// detection reads how small and how certain the faces are that are looked for.
func detection(c echo.Context) (d semblance.Detection, err error) {
	face, err := whole(c, "min_face")
	if err != nil {
		return d, err
	}
	if face != nil {
		d.MinFace = *face
	}
	score, err := number(c, "min_score")
	if err != nil {
		return d, err
	}
	if score != nil {
		d.MinScore = float32(*score)
	}
	return d, d.Validate()
}
