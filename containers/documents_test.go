package containers

import "testing"

// documentSeeds are small documents, mailboxes, databases and caches.
func documentSeeds(t testing.TB) (all [][]byte) {
	all = append(all, mailSeeds(t)...)
	all = append(all, pdfSeeds(t)...)
	all = append(all, cacheSeeds(t)...)
	return append(all, sqliteSeeds(t)...)
}
