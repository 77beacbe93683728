package semblance

// A ProbePicture is what became of one picture of a fused probe.
type ProbePicture struct {
	SHA256   SHA256   `json:"sha256"`
	Name     string   `json:"name"`
	Face     *int     `json:"face,omitempty"`     // the one that was meant
	Quality  float32  `json:"quality,omitempty"`  // of that face
	Distance *float64 `json:"distance,omitempty"` // from the template that all pictures used make together
	LeftOut  string   `json:"left_out,omitempty"` // why it was not used
}
