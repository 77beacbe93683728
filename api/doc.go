// Package api is the service over HTTP: routes under /v1, the OpenAPI document made
// from the handlers, authentication, limits, problem details and events.
//
// The two names most callers need are [New] and [Parts]. The package knows the root
// package's nouns and the few methods it declares in parts.go, and nothing of how
// they are stored. Handlers stream: an upload goes to the spool as it comes, a
// lookup is answered while it is still being sent, and memory does not grow with
// either.
//
// Routes, fields and problem codes stay compatible under /v1; new fields may come.
package api
