package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"semblance"
)

// schemaOf is the schema of a value's type, as huma makes it.
func (s *Server) schemaOf(v any) *huma.Schema {
	t := reflect.TypeOf(v)
	return huma.SchemaFromType(s.huma.OpenAPI().Components.Schemas, t)
}

func stringSchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

func binarySchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Format: "binary"} }

// answers describes the one good answer of a raw route.
func answers(status, what, contentType string, schema *huma.Schema) map[string]*huma.Response {
	return map[string]*huma.Response{status: {Description: what, Content: map[string]*huma.MediaType{contentType: {Schema: schema}}}}
}

// inPath and inQuery describe parameters of raw routes.
func inPath(name, what string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: what, Schema: stringSchema()}
}

func inQuery(name, kind, what string, required bool) *huma.Param {
	return &huma.Param{Name: name, In: "query", Required: required, Description: what, Schema: &huma.Schema{Type: kind}}
}

// fileBody describes a body that is one file, or several parts of multipart.
func fileBody(what string) *huma.RequestBody {
	form := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"file": {Type: huma.TypeArray, Items: binarySchema()}}}
	return &huma.RequestBody{Required: true, Description: what, Content: map[string]*huma.MediaType{
		"multipart/form-data": {Schema: form}, "application/octet-stream": {Schema: binarySchema()}}}
}

func linesBody(what string) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Description: what, Content: map[string]*huma.MediaType{"text/plain": {Schema: stringSchema()}}}
}

var pathParam = regexp.MustCompile(`\{([a-z0-9]+)\}`)

// echoPath writes a path of the document as echo wants it.
func echoPath(path string) string { return pathParam.ReplaceAllString(path, ":$1") }

// names are the values of a query parameter, repeated or with commas.
func names(c echo.Context, param string) []string { return splitNames(c.QueryParams()[param]) }

func splitNames(values []string) []string {
	var out []string
	for _, v := range values {
		for n := range strings.SplitSeq(v, ",") {
			if n = strings.TrimSpace(n); n != "" {
				out = append(out, n)
			}
		}
	}
	return out
}

// whole reads a whole number of the query; nil when it is not there.
func whole(c echo.Context, param string) (*int, error) {
	v := c.QueryParam(param)
	if v == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "%s in the query is not a whole number", param)
	}
	return &n, nil
}

// number reads a number of the query; nil when it is not there.
func number(c echo.Context, param string) (*float64, error) {
	v := c.QueryParam(param)
	if v == "" {
		return nil, nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n != n {
		return nil, semblance.Errorf(semblance.Invalid, "%s in the query is not a number", param)
	}
	return &n, nil
}

// needed reads a value that the query must have.
func needed(c echo.Context, param, what string) (string, error) {
	v := strings.TrimSpace(c.QueryParam(param))
	if v == "" {
		return "", semblance.Errorf(semblance.Invalid, "%s is missing in the query: %s", param, what)
	}
	if len(v) > 500 {
		return "", semblance.Errorf(semblance.Invalid, "%s in the query is longer than 500 bytes", param)
	}
	return v, nil
}

// A line is written as one line of NDJSON.
func line(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write a line: %w", err)
	}
	return append(b, '\n'), nil
}
