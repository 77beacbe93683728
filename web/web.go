// Package web carries the page people work in: plain HTML, JavaScript and CSS,
// embedded, without a build step and without anything fetched from elsewhere.
//
// [Files] is all there is. The page talks to the API under /v1 only, keeps the
// token in the tab's session storage and shows every picture blurred until it is
// held.
package web

import (
	"embed"
	"io/fs"
)

//go:embed index.html app.js style.css
var files embed.FS

// Files holds index.html, app.js and style.css. It is read-only and safe for
// concurrent use.
func Files() fs.FS { return files }
