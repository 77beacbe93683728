package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

// A Calibrator measures what the distances of faces collections mean. The Engine is
// one.
type Calibrator interface {
	Calibrate(ctx context.Context, who semblance.Actor, name string) (semblance.Calibration, error)
	Calibration(ctx context.Context, name string) (semblance.Calibration, error)
}

type calibrationOutput struct{ Body semblance.Calibration }

func (s *Server) calibrationRoutes() {
	tags := []string{"collections"}
	do(s, huma.Operation{OperationID: "show-calibration", Method: http.MethodGet, Path: "/v1/collections/{name}/calibration", Summary: "Show what the distances of a faces collection mean", Tags: tags}, s.showCalibration)
	do(s, huma.Operation{OperationID: "calibrate", Method: http.MethodPost, Path: "/v1/collections/{name}/calibration", Summary: "Measure what the distances of a faces collection mean", Tags: tags}, s.calibrate)
}

func (s *Server) showCalibration(ctx context.Context, in *collectionName) (*calibrationOutput, error) {
	c, err := s.parts.Calibrator.Calibration(ctx, in.Name)
	return &calibrationOutput{c}, err
}

func (s *Server) calibrate(ctx context.Context, in *collectionName) (*calibrationOutput, error) {
	c, err := s.parts.Calibrator.Calibrate(ctx, who(ctx), in.Name)
	return &calibrationOutput{c}, err
}
