package semblance

import "fmt"

// A Flood says that a collection, or one entry of it, is near an absurd share of an
// exhibit's media, as flat pictures, icons and album covers are, or a selector in as many,
// as addresses of services are. Its near matches and hits stay
// recorded; they are shown as one, so that nobody is buried under them.
type Flood struct {
	Collection string  `json:"collection"`
	Entry      EntryID `json:"entry,omitempty"`    // 0: the collection as a whole
	Media      int64   `json:"media"`              // different contents that are near it
	Of         int64   `json:"of"`                 // different contents of the exhibit
	Selector   bool    `json:"selector,omitempty"` // the entry is a selector, and the media have it
}

// When a collection or an entry floods: far above what shared material does, and low
// enough that a person sees the rest.
const (
	floodMedia = 100  // different contents near a collection, at least
	floodShare = 0.05 // of the exhibit's, and more than this share
	// LeastFlood is how many different contents near one entry are a flood: copies of one
	// picture have one content, edits a few.
	LeastFlood = 25
)

// Floods reports whether so many media near a collection, of so many, are a flood; with
// an entry, whether they are for one entry.
func (f Flood) Floods() bool {
	if f.Entry != 0 {
		return f.Media >= LeastFlood
	}
	return f.Media >= floodMedia && float64(f.Media) > floodShare*float64(f.Of)
}

// String is a sentence for a person.
func (f Flood) String() string {
	if f.Selector {
		return fmt.Sprintf("entry %d of collection %s, a selector, is in %d different files: that of a service or of the device's owner is likelier than a trace", f.Entry, f.Collection, f.Media)
	}
	if f.Entry != 0 {
		return fmt.Sprintf("entry %d of collection %s is near %d different files: a flat picture, an icon or a cover is likelier than known material", f.Entry, f.Collection, f.Media)
	}
	return fmt.Sprintf("collection %s is near %d of %d different files (%.0f%%): look at its threshold and least quality before its near matches", f.Collection, f.Media, f.Of, 100*float64(f.Media)/float64(max(f.Of, 1)))
}

// FirstOfFloods returns what says of near matches and hits of selectors, asked in their order, whether each is
// listed: of an entry that floods, the first stands for all.
func FirstOfFloods(floods []Flood) func(collection string, entry EntryID) bool {
	type place struct {
		collection string
		entry      EntryID
	}
	shown := map[place]bool{}
	for _, f := range floods {
		if f.Entry != 0 {
			shown[place{f.Collection, f.Entry}] = false
		}
	}
	return func(collection string, entry EntryID) bool {
		at := place{collection, entry}
		before, flooding := shown[at]
		if flooding {
			shown[at] = true
		}
		return !before
	}
}
