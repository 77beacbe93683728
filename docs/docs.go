// Package docs carries the pages of this folder that the program serves itself:
// one for every problem code, which answers of the API name as their type.
package docs

import "embed"

// Problems holds problems/<code>.md for every code of semblance.Codes.
//
//go:embed problems/*.md
var Problems embed.FS
