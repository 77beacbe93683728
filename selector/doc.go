// Package selector finds phone numbers, e-mail addresses, URLs, user names, onion
// addresses, wallets and document numbers in text, and brings each of them into one
// form by which they are compared.
//
// [Normalize] reads one that is known to be of a kind, as a list of them has it; [Find]
// and [FindString] look for them in text, where precision comes first: docs/selectors.md
// says what is missed by that. What both give for the same selector is the same value.
//
// The package is pure Go and imports no other package of this module. All functions may
// be called from several goroutines at once.
package selector
