package main

import (
	"github.com/spf13/cobra"

	"semblance"
)

// detectionFlags adds how small and how certain the faces are that are looked for.
func detectionFlags(cmd *cobra.Command, d *semblance.Detection) {
	f := cmd.Flags()
	f.IntVar(&d.MinFace, "min-face", 0, "look for faces down to so many pixels, with tiles of the picture: slower; 0 is what the reduced picture shows")
	f.Float32Var(&d.MinScore, "min-score", 0, "least detector score of a face, 0.1 to 1; 0 is the engine's own")
}
