package detector

import "semblance"

// A Template says where the five landmarks lie in a chip of Size by Size pixels:
// eye, eye, nose, mouth corner, mouth corner; left to right in the picture.
// Positions count from the center of the first pixel, as OpenCV's do.
type Template struct {
	Size   int
	Points [5]semblance.Point
}

// Template112 is the usual template of 112x112 embedders (ArcFace, MobileFaceNet, SFace).
func Template112() Template {
	return Template{Size: 112, Points: [5]semblance.Point{
		{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366},
		{X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041}}}
}

// TemplateDlib150 puts YuNet's landmarks where they fall, on average over 31 faces,
// in the 150x150 chips (padding 0.25) that dlib's network was trained on.
func TemplateDlib150() Template {
	return Template{Size: 150, Points: [5]semblance.Point{
		{X: 48.9, Y: 44.3}, {X: 100.4, Y: 46.3}, {X: 73.9, Y: 76.6},
		{X: 51.2, Y: 98.9}, {X: 95.7, Y: 100.6}}}
}
