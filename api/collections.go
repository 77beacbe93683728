package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
	"semblance/hashing"
)

type collectionInput struct {
	Body struct {
		Name          string  `json:"name" minLength:"1" maxLength:"100"`
		Kind          string  `json:"kind" enum:"faces,hashes,selectors,known-good"`
		Owner         string  `json:"owner" minLength:"1" maxLength:"500" doc:"The agency that owns it"`
		Country       string  `json:"country" minLength:"2" maxLength:"2" doc:"ISO 3166-1 alpha-2"`
		Basis         string  `json:"basis" minLength:"1" maxLength:"1000" doc:"Legal basis"`
		Handling      string  `json:"handling,omitempty" maxLength:"200" doc:"Handling code"`
		Review        string  `json:"review,omitempty" maxLength:"10" doc:"Review date, YYYY-MM-DD"`
		Engine        string  `json:"engine,omitempty" maxLength:"100" doc:"Of a faces collection, fixed for good; empty is the default engine"`
		FaceDistance  float64 `json:"face_distance,omitempty" minimum:"0" maximum:"2" doc:"Threshold, inclusive; 0 is the engine's default"`
		EnrollQuality float32 `json:"enroll_quality,omitempty" minimum:"0" maximum:"100" doc:"Quality under which a face is not enrolled without an override, 20 to 100; 0 is 20"`
		PDQDistance   int     `json:"pdq_distance,omitempty" minimum:"0" maximum:"63" doc:"Threshold in bits, inclusive; 0 is 31"`
		PhotoDNA      int     `json:"photodna_distance,omitempty" minimum:"0" maximum:"1000000" doc:"Threshold of PhotoDNA, sum of squared differences of bytes, inclusive; 0 is 40000"`
		PDQQuality    int     `json:"pdq_quality,omitempty" minimum:"0" maximum:"100" doc:"PDQ hashes under this quality are not compared; 0 is 50"`
		HashDistance  int     `json:"hash_distance,omitempty" minimum:"0" maximum:"15" doc:"Threshold of the 64-bit hashes in bits; 0 is 4"`
	}
}

type (
	collectionName struct {
		Name string `path:"name" maxLength:"100" doc:"Name of the collection"`
	}
	collectionOutput struct{ Body semblance.Collection }
	collectionsBody  struct {
		Collections []semblance.Collection `json:"collections"`
	}
	collectionsOutput struct{ Body collectionsBody }
	erasureBody       struct {
		Collection string `json:"collection"`
		Before     int64  `json:"before" doc:"Rows, vectors and crops before"`
		After      int64  `json:"after" doc:"And after: 0"`
		Originals  int    `json:"originals" doc:"Kept originals that no other reference needed, erased"`
	}
	erasureOutput struct{ Body erasureBody }
	// enrolled is the answer to an enrollment.
	enrolled struct {
		Reference semblance.Reference `json:"reference" doc:"Without its embedding"`
		Added     bool                `json:"added" doc:"False when the same picture of the same subject was there"`
		Warnings  []string            `json:"warnings,omitempty" doc:"What a person should know, such as a possible double enrollment"`
	}
	enginesBody struct {
		Engines []semblance.EngineSpec `json:"engines"`
	}
	enginesOutput struct{ Body enginesBody }
)

func (s *Server) collectionRoutes() {
	tags := []string{"collections"}
	do(s, huma.Operation{OperationID: "list-engines", Method: http.MethodGet, Path: "/v1/engines", Summary: "List the face engines with their limits", Tags: tags}, s.listEngines)
	do(s, huma.Operation{OperationID: "create-collection", Method: http.MethodPost, Path: "/v1/collections", Summary: "Create a reference collection", Tags: tags, DefaultStatus: http.StatusCreated}, s.createCollection)
	do(s, huma.Operation{OperationID: "list-collections", Method: http.MethodGet, Path: "/v1/collections", Summary: "List the collections", Tags: tags}, s.listCollections)
	do(s, huma.Operation{OperationID: "show-collection", Method: http.MethodGet, Path: "/v1/collections/{name}", Summary: "Show a collection", Tags: tags}, s.showCollection)
	do(s, huma.Operation{OperationID: "delete-collection", Method: http.MethodDelete, Path: "/v1/collections/{name}", Summary: "Erase a collection with all it holds, and prove it by counting", Tags: tags}, s.deleteCollection)
	s.referenceRoutes(tags)
	s.raw(huma.Operation{OperationID: "enroll", Method: http.MethodPost, Path: "/v1/collections/{name}/references", Summary: "Enroll a picture of a subject", Tags: tags,
		Parameters: []*huma.Param{inPath("name", "Name of a faces collection"), inQuery("subject", "string", "The person's label, unique in the collection", true),
			inQuery("source", "string", "What the picture is called; the uploaded file's name when it is left away", false),
			inQuery("face", "integer", "Which face, where the picture has several", false), inQuery("captured", "string", "When it was taken, as far as known: 2019, 2019-05 or 2019-05-04; the camera's date when it is left away", false),
			inQuery("age", "integer", "How old the person was then, years", false), inQuery("born", "string", "Date of birth as far as known; gives the age and is not kept", false),
			inQuery("note", "string", "Kept with the reference", false),
			inQuery("force", "boolean", "Enroll although the enrollment gate refuses; audited", false), inQuery("reason", "string", "Why; needed with force", false)},
		RequestBody: fileBody("One picture"), Responses: answers("201", "The reference", "application/json", s.schemaOf(enrolled{}))}, s.enroll)
	s.raw(huma.Operation{OperationID: "import-hashes", Method: http.MethodPost, Path: "/v1/collections/{name}/hashes", Summary: "Import a plain list of hashes or selectors, one a line, as it streams in", Tags: tags,
		Parameters: []*huma.Param{inPath("name", "Name of a hashes, known-good or selectors collection"), inQuery("source", "string", "What the list is called", true),
			inQuery("format", "string", "What 64 or 16 bare digits are: sha256 (the default), pdq, phash, dhash, ahash; or the kind of selectors that do not say it: phone, email, url, user, onion, wallet, document", false)},
		RequestBody: linesBody("md5, sha1, sha256, pdq:HEX, phone:+49..., email:... and the like, one a line, each with an optional comma and note"),
		Responses:   answers("200", "What became of the lines", "application/json", s.schemaOf(semblance.ImportResult{}))}, s.importHashes)
}

func (s *Server) listEngines(context.Context, *struct{}) (*enginesOutput, error) {
	return &enginesOutput{enginesBody{s.parts.Engines.All()}}, nil
}

func (s *Server) createCollection(ctx context.Context, in *collectionInput) (*collectionOutput, error) {
	b := in.Body
	c, err := s.parts.Keeper.CreateCollection(ctx, who(ctx), semblance.Collection{Name: b.Name, Kind: semblance.CollectionKind(b.Kind), Owner: b.Owner, Country: b.Country,
		Basis: b.Basis, Handling: b.Handling, Review: b.Review, Engine: semblance.EngineName(b.Engine), FaceDistance: b.FaceDistance, EnrollQuality: b.EnrollQuality,
		PDQDistance: b.PDQDistance, PDQQuality: b.PDQQuality, HashDistance: b.HashDistance, PhotoDNADistance: b.PhotoDNA})
	return &collectionOutput{c}, err
}

func (s *Server) listCollections(ctx context.Context, _ *struct{}) (*collectionsOutput, error) {
	list, err := s.parts.Collections.Collections(ctx)
	return &collectionsOutput{collectionsBody{some(list)}}, err
}

func (s *Server) deleteCollection(ctx context.Context, in *collectionName) (*erasureOutput, error) {
	e, err := s.parts.Keeper.DeleteCollection(ctx, who(ctx), in.Name)
	return &erasureOutput{erasureBody{in.Name, e.Before, e.After, len(e.Objects)}}, err
}

func (s *Server) enroll(c echo.Context) error {
	subject, err := needed(c, "subject", "the label of the person")
	if err != nil {
		return err
	}
	face, err := whole(c, "face")
	if err != nil {
		return err
	}
	age, err := whole(c, "age")
	if err != nil {
		return err
	}
	force, err := flag(c, "force")
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if _, err := s.parts.Collections.Collection(ctx, c.Param("name")); err != nil {
		return err
	}
	f, name, err := s.parts.Spool.One(c.Request(), s.opts.MediaBytes)
	if err != nil {
		return err
	}
	defer f.Close()
	if q := c.QueryParam("source"); q != "" || name == "" {
		name = SafeName(q)
	}
	got, err := s.parts.Filler.Enroll(ctx, who(ctx), semblance.EnrollRequest{Collection: c.Param("name"), Subject: subject, Source: name, Face: face, Age: age,
		Captured: c.QueryParam("captured"), Born: c.QueryParam("born"), Note: c.QueryParam("note"), Force: force, Why: c.QueryParam("reason"), File: f})
	if err != nil {
		return err
	}
	got.Reference.Face.Embedding, got.Reference.Face.Crop = nil, nil
	return c.JSON(http.StatusCreated, enrolled(got))
}

func (s *Server) importHashes(c echo.Context) error {
	source, err := needed(c, "source", "what the list is called; it is kept with every entry")
	if err != nil {
		return err
	}
	var def hashing.Algorithm // what 64 digits are is not guessed
	if c.QueryParam("format") != "" {
		def, err = algorithm(c)
	}
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	res, err := s.parts.Filler.ImportHashes(ctx, who(ctx), c.Param("name"), source, def, c.Request().Body)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, res)
}

// algorithm is what bare digits are.
func algorithm(c echo.Context) (hashing.Algorithm, error) {
	q := c.QueryParam("format")
	if q == "" {
		return "", nil
	}
	alg, err := semblance.ParseListFormat(q)
	if err != nil {
		return "", semblance.Errorf(semblance.Invalid, "format in the query is no algorithm that is known, and no kind of selector").
			WithHint("Use sha256, pdq, phash, dhash or ahash; of selectors phone, email, url, user, onion, wallet or document.")
	}
	return alg, nil
}

func flag(c echo.Context, param string) (bool, error) {
	v := c.QueryParam(param)
	if v == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, semblance.Errorf(semblance.Invalid, "%s in the query is neither true nor false", param)
	}
	return b, nil
}
