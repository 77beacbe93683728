package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOpenAPI checks the document's structure as OpenAPI 3.1 asks for it: versions,
// unique operation ids, described parameters for every part of a path, answers with
// content, references that lead somewhere, and a token everywhere.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := ask(newServer(t, nil, &log), "GET", "/openapi.json", "")
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("openapi is %q", v)
	}
	info := doc["info"].(map[string]any)
	if info["title"] == "" || info["version"] == "" {
		t.Errorf("info is %v", info)
	}
	checkReferences(t, doc, doc)
	ids := map[string]bool{}
	var routes []string
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			routes = append(routes, strings.ToUpper(method)+" "+path)
			checkOperation(t, strings.ToUpper(method)+" "+path, path, op.(map[string]any), ids)
		}
	}
	slices.Sort(routes)
	want := []string{
		"DELETE /v1/collections/{name}",
		"GET /metrics", "GET /v1/cases", "GET /v1/cases/{number}", "GET /v1/cases/{number}/candidates", "GET /v1/cases/{number}/contradictions", "GET /v1/cases/{number}/exhibits",
		"GET /v1/cases/{number}/hits", "GET /v1/cases/{number}/items", "GET /v1/cases/{number}/known-good", "GET /v1/cases/{number}/media/{sha256}", "GET /v1/cases/{number}/near-matches",
		"GET /v1/cases/{number}/report", "GET /v1/cases/{number}/requests", "GET /v1/collections", "GET /v1/collections/{name}", "GET /v1/collections/{name}/calibration", "GET /v1/engines", "GET /v1/jobs", "GET /v1/jobs/{id}",
		"GET /v1/jobs/{id}/events", "GET /v1/media/{sha256}/faces/{n}/crop", "GET /v1/media/{sha256}/sheet", "GET /v1/media/{sha256}/thumbnail", "GET /v1/references/{id}/crop",
		"POST /v1/cases", "POST /v1/cases/{number}/lookups", "POST /v1/cases/{number}/pictures", "POST /v1/cases/{number}/searches", "POST /v1/cases/{number}/uploads",
		"POST /v1/collections", "POST /v1/collections/{name}/calibration", "POST /v1/collections/{name}/hashes", "POST /v1/collections/{name}/references", "POST /v1/jobs/{id}/cancel", "POST /v1/jobs/{id}/pause", "POST /v1/cases/{number}/scans", "POST /v1/jobs/{id}/resume",
	}
	want = append(want, "POST /v1/cases/{number}/fused-searches", "POST /v1/cases/{number}/sheets",
		"GET /v1/group-edits", "GET /v1/groups", "GET /v1/groups/{id}", "GET /v1/near-groups", "POST /v1/group-edits/{id}/undo", "POST /v1/groups/run",
		"POST /v1/groups/{id}/merge", "POST /v1/groups/{id}/move", "POST /v1/groups/{id}/name", "POST /v1/groups/{id}/split")
	want = append(want, "GET /v1/category-sets", "PATCH /v1/collections/{name}", "GET /v1/collections/{name}/references", "DELETE /v1/collections/{name}/references",
		"POST /v1/collections/{name}/reenrollment", "DELETE /v1/collections/{name}/reenrollment")
	want = append(want, "GET /v1/cases/{number}/stacks", "GET /v1/cases/{number}/stacks/{sha256}", "GET /v1/lookbacks", "POST /v1/lookbacks", "GET /v1/cases/{number}/notices", "POST /v1/cases/{number}/notices/acknowledge")
	want = append(want, "PATCH /v1/cases/{number}", "GET /v1/cases/{number}/selectors", "GET /v1/links")
	slices.Sort(want)
	if !slices.Equal(routes, want) {
		t.Errorf("the routes are\n%s\nwant\n%s", strings.Join(routes, "\n"), strings.Join(want, "\n"))
	}
}

var inBraces = regexp.MustCompile(`\{([^}]+)\}`)

func checkOperation(t *testing.T, route, path string, op map[string]any, ids map[string]bool) {
	t.Helper()
	id, _ := op["operationId"].(string)
	if id == "" || ids[id] {
		t.Errorf("%s: operation id %q is empty or used twice", route, id)
	}
	ids[id] = true
	if op["summary"] == "" || len(op["security"].([]any)) != 1 {
		t.Errorf("%s: summary %v, security %v", route, op["summary"], op["security"])
	}
	described := map[string]bool{}
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		p := p.(map[string]any)
		in, _ := p["in"].(string)
		if !slices.Contains([]string{"path", "query", "header"}, in) || p["schema"] == nil || in == "path" && p["required"] != true {
			t.Errorf("%s: parameter %v", route, p)
		}
		if in == "path" {
			described[p["name"].(string)] = true
		}
	}
	for _, m := range inBraces.FindAllStringSubmatch(path, -1) {
		if !described[m[1]] {
			t.Errorf("%s: %s of the path is not described", route, m[1])
		}
		delete(described, m[1])
	}
	if len(described) > 0 {
		t.Errorf("%s: described and not in the path: %v", route, described)
	}
	good := false
	responses := op["responses"].(map[string]any)
	for status, r := range responses {
		r := r.(map[string]any)
		if d, ok := r["description"].(string); !ok || d == "" {
			t.Errorf("%s: answer %s has no description", route, status)
		}
		good = good || status[0] == '2'
		if _, problem := content(r)["application/problem+json"]; status[0] != '2' && !problem {
			t.Errorf("%s: answer %s is no problem: %v", route, status, r)
		}
	}
	if _, ok := responses["default"]; !good || !ok {
		t.Errorf("%s: answers %v", route, responses)
	}
}

func content(r map[string]any) map[string]any {
	c, _ := r["content"].(map[string]any)
	return c
}

// checkReferences follows every $ref.
func checkReferences(t *testing.T, doc, node any) {
	t.Helper()
	switch n := node.(type) {
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			if err := follow(doc, ref); err != nil {
				t.Error(err)
			}
		}
		for _, v := range n {
			checkReferences(t, doc, v)
		}
	case []any:
		for _, v := range n {
			checkReferences(t, doc, v)
		}
	}
}

func follow(doc any, ref string) error {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return fmt.Errorf("the reference %s leads elsewhere", ref)
	}
	at := doc
	for part := range strings.SplitSeq(path, "/") {
		name, err := url.PathUnescape(part)
		m, isMap := at.(map[string]any)
		if err != nil || !isMap || m[name] == nil {
			return fmt.Errorf("the reference %s leads nowhere", ref)
		}
		at = m[name]
	}
	return nil
}
