package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

// maxPictures is how many pictures one screenful can ask for.
const maxPictures = 200

// A PictureName says which small picture is meant.
type PictureName struct {
	Kind      string `json:"kind" enum:"thumbnail,sheet,face,reference"`
	Media     string `json:"media,omitempty" maxLength:"64" doc:"SHA-256, of a thumbnail, a sheet and a face"`
	Engine    string `json:"engine,omitempty" maxLength:"100" doc:"Of a face; empty is the default engine"`
	Face      int    `json:"face,omitempty" minimum:"0" doc:"Index of a face, from 0"`
	Reference string `json:"reference,omitempty" maxLength:"64" doc:"Id of a reference"`
}

// A picture is one that was asked for; without JPEG when none was kept.
type picture struct {
	PictureName
	JPEG []byte `json:"jpeg,omitempty" doc:"Base64"`
}

type picturesInput struct {
	CaseNumber
	Body struct {
		Pictures []PictureName `json:"pictures" maxItems:"200" minItems:"1"`
	}
}

type (
	picturesBody struct {
		Pictures []picture `json:"pictures" doc:"In the order asked for"`
	}
	picturesOutput struct{ Body picturesBody }
)

func (s *Server) pictureRoutes() {
	tags := []string{"pictures"}
	do(s, huma.Operation{OperationID: "show-pictures", Method: http.MethodPost, Path: "/v1/cases/{number}/pictures", Summary: "Small pictures for one screenful", Tags: tags,
		Description: "Thumbnails, contact sheets of videos, face crops and reference crops. One entry in the audit chain lists what was on the screen."}, s.showPictures)
	jpeg := answers("200", "A small JPEG", "image/jpeg", binarySchema())
	ofCase := inQuery("case", "string", "Number of the case the view belongs to; it is audited", true)
	s.raw(huma.Operation{OperationID: "thumbnail", Method: http.MethodGet, Path: "/v1/media/{sha256}/thumbnail", Summary: "Thumbnail of a media", Tags: tags,
		Parameters: []*huma.Param{inPath("sha256", "SHA-256 of the media"), ofCase}, Responses: jpeg}, func(c echo.Context) error {
		return s.onePicture(c, PictureName{Kind: "thumbnail", Media: c.Param("sha256")})
	})
	s.raw(huma.Operation{OperationID: "contact-sheet", Method: http.MethodGet, Path: "/v1/media/{sha256}/sheet", Summary: "Contact sheet of a video", Tags: tags,
		Description: "A grid of frames; the analysis of the media says when each is shown (video.sheet).",
		Parameters:  []*huma.Param{inPath("sha256", "SHA-256 of the media"), ofCase}, Responses: jpeg}, func(c echo.Context) error {
		return s.onePicture(c, PictureName{Kind: "sheet", Media: c.Param("sha256")})
	})
	s.raw(huma.Operation{OperationID: "face-crop", Method: http.MethodGet, Path: "/v1/media/{sha256}/faces/{n}/crop", Summary: "Crop of a face", Tags: tags,
		Parameters: []*huma.Param{inPath("sha256", "SHA-256 of the media"), inPath("n", "Index of the face, from 0"), ofCase,
			inQuery("engine", "string", "The engine that found it; the default engine when left away", false)}, Responses: jpeg}, func(c echo.Context) error {
		n, err := strconv.Atoi(c.Param("n"))
		if err != nil || n < 0 {
			return semblance.Errorf(semblance.Invalid, "a face is named by its index, from 0")
		}
		return s.onePicture(c, PictureName{Kind: "face", Media: c.Param("sha256"), Engine: c.QueryParam("engine"), Face: n})
	})
	s.raw(huma.Operation{OperationID: "reference-crop", Method: http.MethodGet, Path: "/v1/references/{id}/crop", Summary: "Crop of a reference's face", Tags: tags,
		Parameters: []*huma.Param{inPath("id", "Id of the reference"), ofCase}, Responses: jpeg}, func(c echo.Context) error {
		return s.onePicture(c, PictureName{Kind: "reference", Reference: c.Param("id")})
	})
}

// onePicture is a screenful of one.
func (s *Server) onePicture(c echo.Context, name PictureName) error {
	ctx := c.Request().Context()
	number, err := needed(c, "case", "the number of the case the view belongs to")
	if err != nil {
		return err
	}
	in := picturesInput{CaseNumber: CaseNumber{Number: number}}
	in.Body.Pictures = []PictureName{name}
	out, err := s.showPictures(ctx, &in)
	if err != nil {
		return err
	}
	if p := out.Body.Pictures[0]; p.JPEG != nil {
		return c.Blob(http.StatusOK, "image/jpeg", p.JPEG)
	}
	return semblance.Errorf(semblance.NotFound, "no such picture was kept")
}

// showPictures audits the screenful before it is shown.
func (s *Server) showPictures(ctx context.Context, in *picturesInput) (*picturesOutput, error) {
	c, err := s.parts.Cases.Case(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	if len(in.Body.Pictures) > maxPictures {
		return nil, semblance.Errorf(semblance.Invalid, "more than %d pictures in one screenful", maxPictures)
	}
	held := map[string]bool{}
	out := picturesBody{Pictures: make([]picture, len(in.Body.Pictures))}
	for i, name := range in.Body.Pictures {
		jpeg, err := s.picture(ctx, c, name, held)
		if err != nil && semblance.CodeOf(err) != semblance.NotFound {
			return nil, err
		}
		out.Pictures[i] = picture{name, jpeg}
	}
	return &picturesOutput{out}, s.viewed(ctx, c, map[string]any{"pictures": in.Body.Pictures})
}

// picture reads one picture. held remembers which media the case has: pixels of
// another case's media are not shown.
func (s *Server) picture(ctx context.Context, c semblance.Case, p PictureName, held map[string]bool) ([]byte, error) {
	if p.Kind == "reference" {
		return s.parts.Pictures.ReferenceCrop(ctx, semblance.ReferenceID(p.Reference))
	}
	var sum semblance.SHA256
	if err := sum.UnmarshalText([]byte(p.Media)); err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "a media is named by the 64 hexadecimal digits of its SHA-256")
	}
	if !held[p.Media] {
		_, has, err := s.parts.Records.MediaFindings(ctx, c.ID, sum)
		if err != nil {
			return nil, err
		}
		if !has {
			return nil, errNoMedia()
		}
		held[p.Media] = true
	}
	switch p.Kind {
	case "thumbnail":
		return s.parts.Pictures.Thumbnail(ctx, sum)
	case "sheet":
		return s.parts.Pictures.ContactSheet(ctx, sum)
	}
	engine := semblance.EngineName(p.Engine)
	if engine == "" {
		engine = semblance.DefaultEngine
	}
	return s.parts.Pictures.FaceCrop(ctx, sum, engine, p.Face)
}
