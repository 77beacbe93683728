package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

// A Problem is how every failure is told over HTTP: RFC 9457 problem details. It
// carries nothing of what was sent, and no path, statement or stack.
type Problem struct {
	Type       string         `json:"type" format:"uri-reference" doc:"Page about this code"`
	Title      string         `json:"title" doc:"The same for every problem of this code"`
	Status     int            `json:"status"`
	Detail     string         `json:"detail" doc:"What is wrong, in a sentence"`
	Instance   string         `json:"instance" doc:"urn:uuid: of the request, as in the log"`
	Code       semblance.Code `json:"code"`
	Hint       string         `json:"hint,omitempty" doc:"What to do"`
	Errors     []FieldError   `json:"errors,omitempty" doc:"The fields that are wrong"`
	Gate       *GateProblem   `json:"gate,omitempty" doc:"What the enrollment gate holds against a picture"`
	Limit      int64          `json:"limit,omitempty" doc:"The limit that was met"`
	RetryAfter int            `json:"retry_after,omitempty" doc:"Seconds after which to try again"`
}

// A FieldError says what is wrong with one field of a request.
type FieldError struct {
	Pointer string `json:"pointer" doc:"Where, such as body.country"`
	Detail  string `json:"detail"`
}

// A GateProblem is what the enrollment gate holds against a picture.
type GateProblem struct {
	Refusals   []semblance.Refusal   `json:"refusals"`
	Quality    float32               `json:"quality" doc:"Of the face, 0 to 100"`
	Reasons    []string              `json:"reasons,omitempty" doc:"What lowers the quality"`
	Components *semblance.Components `json:"components,omitempty" doc:"What the quality is made of"`
}

// Error returns the sentence.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457, for huma.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders returns Retry-After where there is one, for huma.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	return h
}

const problemType = "application/problem+json"

// A kind is what a code means over HTTP.
type kind struct {
	status int
	title  string
	retry  int // seconds
}

// kindOf is the one table from codes to statuses.
func kindOf(c semblance.Code) (kind, bool) {
	switch c {
	case semblance.Invalid:
		return kind{400, "The request is not valid", 0}, true
	case semblance.Unauthenticated:
		return kind{401, "A token is needed", 0}, true
	case semblance.Forbidden:
		return kind{403, "Not allowed", 0}, true
	case semblance.NotFound:
		return kind{404, "Not found", 0}, true
	case semblance.Conflict:
		return kind{409, "In conflict with what is there", 0}, true
	case semblance.ModelMismatch:
		return kind{409, "Signals of different engines", 0}, true
	case semblance.MediaTooLarge:
		return kind{413, "Over a limit", 0}, true
	case semblance.MediaUnsupported:
		return kind{415, "Not a format that is read", 0}, true
	case semblance.MediaDamaged:
		return kind{422, "The file does not decode", 0}, true
	case semblance.MediaEncrypted:
		return kind{422, "Encrypted", 0}, true
	case semblance.FaceCount:
		return kind{422, "One face is needed", 0}, true
	case semblance.EnrollmentRefused:
		return kind{422, "Not good enough to enroll", 0}, true
	case semblance.RateLimited:
		return kind{429, "Too many attempts", 60}, true
	case semblance.Busy:
		return kind{503, "Busy", 5}, true
	case semblance.Unavailable:
		return kind{503, "A part is missing or down", 30}, true
	case semblance.Timeout:
		return kind{504, "It took too long", 0}, true
	case semblance.Canceled:
		return kind{499, "The caller left", 0}, true
	case semblance.Internal:
		return kind{500, "Internal error", 0}, true
	}
	return kind{500, "Internal error", 0}, false
}

// detailed adds to an error what only problem details can say.
type detailed struct {
	error
	status int   // instead of the code's
	limit  int64 // that was met
	retry  int   // seconds
}

func (d *detailed) Unwrap() error { return d.error }

// overLimit is a MediaTooLarge that names its limit.
func overLimit(limit int64, format string, args ...any) error {
	return &detailed{error: semblance.Errorf(semblance.MediaTooLarge, format, args...).
		WithHint("Send it in several parts, or raise the limit in the configuration of the service."), limit: limit}
}

// problem translates an error. It is the only place that does; what has no code is
// logged here in full and told as a fixed sentence.
func (s *Server) problem(ctx context.Context, err error) *Problem {
	var made *Problem
	if errors.As(err, &made) {
		return made
	}
	code := semblance.CodeOf(err)
	k, _ := kindOf(code)
	p := &Problem{Type: s.opts.Base + "/problems/" + string(code), Title: k.title, Status: k.status, Code: code, RetryAfter: k.retry,
		Detail: sentence(err, code), Hint: redact(semblance.HintOf(err)), Instance: "urn:uuid:" + requestIDOf(ctx)}
	var d *detailed
	if errors.As(err, &d) {
		p.Limit = d.limit
		if d.status != 0 {
			p.Status = d.status
		}
		if d.retry != 0 {
			p.RetryAfter = d.retry
		}
	}
	var g *semblance.GateError
	if errors.As(err, &g) {
		p.Gate = &GateProblem{Refusals: g.Refusals, Quality: g.Quality, Reasons: g.Reasons, Components: g.Components}
	}
	if code == semblance.Internal || code == semblance.Unavailable {
		s.parts.Log.LogAttrs(ctx, slog.LevelError, "failed", slog.String("request", requestIDOf(ctx)), slog.String("code", string(code)), slog.String("cause", causes(err)))
	}
	return p
}

// sentence is what may be told of an error.
func sentence(err error, code semblance.Code) string {
	var e *semblance.Error
	switch {
	case code == semblance.Internal:
		return "Something went wrong in the service; its log has the cause under this request's number."
	case errors.As(err, &e):
		return redact(e.Msg)
	case code == semblance.Timeout:
		return "The time for this request has passed."
	}
	return "The caller left before the answer was ready."
}

// causes is the whole chain of an error, for the log.
func causes(err error) string {
	out := err.Error()
	for {
		var e *semblance.Error
		if !errors.As(err, &e) || e.Err == nil {
			return out
		}
		err = e.Err
		out += ": " + err.Error()
	}
}

var (
	quotedPath   = regexp.MustCompile(`"/[^"]*"`) // as %q writes it, spaces and all
	absolutePath = regexp.MustCompile(`(^|[\s"'(=:])/[^\s"'/]+/[^\s"']*`)
)

// redact takes paths of the server out of a sentence that was written for a
// terminal.
func redact(text string) string {
	return absolutePath.ReplaceAllString(quotedPath.ReplaceAllString(text, `"…"`), "$1…")
}

// handleError is echo's error handler.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		s.parts.Log.Error("failed after the answer had begun", "request", requestIDOf(c.Request().Context()), "cause", causes(err))
		return
	}
	p := s.problem(c.Request().Context(), fromEcho(err))
	for name, values := range p.GetHeaders() {
		c.Response().Header()[name] = values
	}
	if p.Code == semblance.Unauthenticated {
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="semblance"`)
	}
	c.Response().Header().Set(echo.HeaderContentType, problemType)
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(p.Status)
		return
	}
	_ = c.JSON(p.Status, p) // the caller has left when it fails
}

// fromEcho codes the errors that echo itself makes.
func fromEcho(err error) error {
	var he *echo.HTTPError
	if !errors.As(err, &he) {
		return err
	}
	switch he.Code {
	case http.StatusNotFound:
		return semblance.Errorf(semblance.NotFound, "there is nothing here").WithHint("/openapi.json lists what there is.")
	case http.StatusMethodNotAllowed:
		return &detailed{error: semblance.Errorf(semblance.Invalid, "this method is not used here").WithHint("/openapi.json lists what there is."), status: he.Code}
	case http.StatusUnauthorized:
		return semblance.Errorf(semblance.Unauthenticated, "a token is needed")
	case http.StatusRequestEntityTooLarge:
		return overLimit(jsonBytes, "the body is too large")
	}
	if he.Code < 500 {
		return &detailed{error: semblance.Errorf(semblance.Invalid, "the request cannot be read"), status: he.Code}
	}
	return err
}

// transform replaces huma's own error, which echoes what was sent.
func (s *Server) transform(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	var err error
	switch m.Status {
	case http.StatusRequestEntityTooLarge:
		err = overLimit(jsonBytes, "the body is larger than %d bytes", jsonBytes)
	case http.StatusUnsupportedMediaType:
		err = semblance.Errorf(semblance.MediaUnsupported, "the body is not application/json")
	case http.StatusRequestTimeout:
		err = semblance.Errorf(semblance.Timeout, "the body did not come in time")
	case http.StatusInternalServerError:
		err = errors.New(m.Detail)
	default:
		err = semblance.Errorf(semblance.Invalid, "the request is not in the form that is asked for").
			WithHint("errors names the fields; /openapi.json describes them.")
	}
	p := s.problem(ctx.Context(), err)
	p.Status = m.Status
	for _, d := range m.Errors {
		if d != nil {
			p.Errors = append(p.Errors, FieldError{Pointer: pointer(d), Detail: rule(d.Message)})
		}
	}
	return p, nil
}

// pointer is where a field is, without names that the caller made up.
func pointer(d *huma.ErrorDetail) string {
	if strings.HasPrefix(d.Message, "unexpected property") {
		where, _, _ := strings.Cut(d.Location, ".")
		return where
	}
	return d.Location
}

// rule is which rule was broken. Messages of decoders can quote what they read.
func rule(message string) string {
	switch {
	case strings.HasPrefix(message, "unexpected property"):
		return "a property that is not known"
	case strings.HasPrefix(message, "expected "), strings.HasPrefix(message, "request body is required"), strings.HasPrefix(message, "required "):
		return message
	case strings.HasPrefix(message, "invalid "):
		kind, _, _ := strings.Cut(strings.TrimPrefix(message, "invalid "), " ")
		return "not a valid " + strings.Trim(kind, ":")
	}
	return "not as it has to be"
}
