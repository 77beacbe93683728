package semblance_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// TestExportedNamesAreDocumented demands a comment that starts with the name.
func TestExportedNamesAreDocumented(t *testing.T) {
	t.Parallel()
	eachSource(t, documentationRule)
}

func documentationRule(f *sourceFile) (found []string) {
	if f.test || f.isMain() {
		return nil
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) && !wellKnown(d) && !startsWithName(d.Doc, d.Name.Name) {
				found = append(found, fmt.Sprintf("%s: the comment of %s starts with its name", f.at(d), d.Name.Name))
			}
		case *ast.GenDecl:
			found = append(found, undocumentedSpecs(f, d)...)
		}
	}
	return found
}

// wellKnown are the methods whose contract is the standard library's.
func wellKnown(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "String"}, d.Name.Name)
}

// exportedReceiver is true of functions, and of methods of exported types.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

func undocumentedSpecs(f *sourceFile, d *ast.GenDecl) (found []string) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && !startsWithName(firstDoc(spec.Doc, d.Doc), spec.Name.Name) {
				found = append(found, fmt.Sprintf("%s: the comment of %s starts with its name", f.at(spec), spec.Name.Name))
			}
		case *ast.ValueSpec:
			// A group's comment covers its values, as in errors.go.
			for _, name := range spec.Names {
				if name.IsExported() && firstDoc(spec.Doc, spec.Comment, d.Doc) == nil {
					found = append(found, fmt.Sprintf("%s: %s has no comment", f.at(spec), name.Name))
				}
			}
		}
	}
	return found
}

func firstDoc(docs ...*ast.CommentGroup) *ast.CommentGroup {
	for _, d := range docs {
		if d != nil {
			return d
		}
	}
	return nil
}

func startsWithName(doc *ast.CommentGroup, name string) bool {
	if doc == nil {
		return false
	}
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, name)
	return ok && (rest == "" || !unicode.IsLetter(rune(rest[0])))
}

// forbiddenWords are the synonyms that DESIGN.md rules out, by the word's stem: a
// distance is not a similarity, and a candidate is not a match or an identification.
var forbiddenWords = map[string]string{
	"match": "candidate, hit or near match", "matches": "candidates, hits or near matches", "matched": "candidate, hit or near match",
	"matcher": "index", "similarity": "distance", "similarities": "distances", "confidence": "distance or detector score",
	"identify": "candidate", "identified": "candidate", "identification": "candidate", "identifications": "candidates",
	"recognize": "detect or embed", "recognized": "candidate", "recognizer": "engine", "recognition": "face search",
	"suspect": "subject",
}

// TestWords holds exported names and the names in JSON to DESIGN.md's words.
func TestWords(t *testing.T) {
	t.Parallel()
	eachSource(t, wordRule)
}

func wordRule(f *sourceFile) (found []string) {
	report := func(n ast.Node, name string) {
		word, instead := forbiddenWord(name)
		if f.in("detector") && word == "similarity" {
			return // geometry's name for rotation, scale and shift
		}
		if word != "" {
			found = append(found, fmt.Sprintf("%s: %s says %q; DESIGN.md's word is %s", f.at(n), name, word, instead))
		}
	}
	if f.test {
		return nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.IsExported() {
				report(n, n.Name.Name)
			}
			return true
		case *ast.TypeSpec:
			if n.Name.IsExported() {
				report(n, n.Name.Name)
			}
		case *ast.Field:
			for _, name := range n.Names {
				if name.IsExported() {
					report(n, name.Name)
				}
			}
			if n.Tag != nil {
				tag, err := strconv.Unquote(n.Tag.Value)
				name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				if err == nil {
					report(n, name)
				}
			}
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && (n.Tok == token.CONST || n.Tok == token.VAR) && v.Names[0].IsExported() {
					report(v, v.Names[0].Name)
				}
			}
		}
		return true
	})
	return found
}

// forbiddenWord returns the first forbidden word of a name in any case style, and
// what to say instead. "near match" is a word of the product.
func forbiddenWord(name string) (word, instead string) {
	previous := ""
	for _, w := range nameWords(name) {
		if instead, ok := forbiddenWords[w]; ok && (previous != "near" || !strings.HasPrefix(w, "match")) {
			return w, instead
		}
		previous = w
	}
	return "", ""
}

// nameWords splits NearMatch, near_match and near-match alike.
func nameWords(name string) []string {
	var b strings.Builder
	previous := '_'
	for _, r := range name {
		if unicode.IsUpper(r) && unicode.IsLower(previous) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
		previous = r
	}
	return strings.FieldsFunc(b.String(), func(r rune) bool { return !unicode.IsLetter(r) })
}

// promises are phrases that no page, report or message may use of a face candidate.
var promises = regexp.MustCompile(`(?i)\b(similarity (score|of)|match score|face match|positive match|identified as|recogni[sz]ed as|confidence (score|level))\b|% match`)

// TestNothingPromisesAnIdentity looks through what people read: string literals and
// templates.
func TestNothingPromisesAnIdentity(t *testing.T) {
	t.Parallel()
	eachSource(t, promiseRule)
	files, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.path, "web/") || strings.HasPrefix(f.path, "report/") {
			if phrase := promises.Find(f.content); phrase != nil && !strings.HasSuffix(f.path, ".go") {
				t.Errorf("%s says %q", f.path, phrase)
			}
		}
	}
}

func promiseRule(f *sourceFile) (found []string) {
	if f.test {
		return nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if phrase := promises.FindString(lit.Value); phrase != "" {
				found = append(found, fmt.Sprintf("%s says %q", f.at(lit), phrase))
			}
		}
		return true
	})
	return found
}
