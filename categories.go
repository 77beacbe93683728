package semblance

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A CategorySet is one version of one jurisdiction's categories. Numbers mean other
// things elsewhere (what is 1 in one country is nothing in another, and some lists that
// are called after a national database hold harmless files), so a category is always
// kept as its source wrote it, together with the set it is of; it is never translated.
// A set is never changed: another version is another set.
type CategorySet struct {
	Name       string     `json:"name"`    // letters, digits and - . _
	Version    string     `json:"version"` // the same
	Country    string     `json:"country"` // ISO 3166-1 alpha-2, or empty for an international one
	Title      string     `json:"title,omitempty"`
	Source     string     `json:"source"` // the document that defines it
	Categories []Category `json:"categories"`
	Created    time.Time  `json:"created"`
}

// A Category is one value of a set.
type Category struct {
	Value   string  `json:"value"` // as lists write it
	Label   string  `json:"label"`
	Concern Concern `json:"concern"`
}

// A Concern says what a category means for the work: whether a file of it matters.
type Concern string

// The concerns.
const (
	Pertinent    Concern = "pertinent"     // material that is looked for
	NonPertinent Concern = "non-pertinent" // known, and not looked for
	Undecided    Concern = "undecided"     // nobody has said yet
)

// ID is how the set is named: NAME/VERSION.
func (s *CategorySet) ID() string { return s.Name + "/" + s.Version }

// Category returns the category of a value, nil when the set has none of it.
func (s *CategorySet) Category(value string) *Category {
	for i := range s.Categories {
		if s.Categories[i].Value == value {
			return &s.Categories[i]
		}
	}
	return nil
}

var categoryWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Validate returns an error with code Invalid that says what is wrong.
func (s *CategorySet) Validate() error {
	switch {
	case !categoryWord.MatchString(s.Name) || !categoryWord.MatchString(s.Version):
		return Errorf(Invalid, "a category set needs a name and a version of up to 64 letters, digits and . _ -, not %q and %q", s.Name, s.Version)
	case s.Country != "" && !countryCode.MatchString(s.Country):
		return Errorf(Invalid, "%q is not a country of two letters", s.Country)
	case strings.TrimSpace(s.Source) == "":
		return Errorf(Invalid, "the category set %s does not say which document defines it", s.ID()).WithHint(`Give it "source": numbers mean other things elsewhere.`)
	case len(s.Categories) == 0:
		return Errorf(Invalid, "the category set %s has no categories", s.ID())
	}
	seen := map[string]bool{}
	for _, c := range s.Categories {
		switch {
		case c.Value == "" || len(c.Value) > 64 || c.Label == "":
			return Errorf(Invalid, "a category of %s has no value of up to 64 characters, or no label", s.ID())
		case c.Concern != Pertinent && c.Concern != NonPertinent && c.Concern != Undecided:
			return Errorf(Invalid, "category %q of %s has the concern %q", c.Value, s.ID(), c.Concern).WithHint("Concerns are pertinent, non-pertinent and undecided.")
		case seen[c.Value]:
			return Errorf(Invalid, "category %q stands twice in %s", c.Value, s.ID())
		}
		seen[c.Value] = true
	}
	return nil
}

// A CategoryStore keeps category sets.
type CategoryStore interface {
	// AddCategorySet returns Conflict when there is one of that name and version.
	AddCategorySet(ctx context.Context, s CategorySet, ev AuditEvent) error
	// CategorySets lists all of them by name and version.
	CategorySets(ctx context.Context) ([]CategorySet, error)
	// CategorySet returns the one of an ID, NotFound when there is none.
	CategorySet(ctx context.Context, id string) (CategorySet, error)
}

// AddCategorySet keeps a set for good.
func (e *Engine) AddCategorySet(ctx context.Context, who Actor, s CategorySet) (CategorySet, error) {
	if err := s.Validate(); err != nil {
		return s, err
	}
	s.Created = e.now()
	ev := e.event(who, "category-set.add", nil)
	ev.Detail["category_set"], ev.Detail["source"], ev.Detail["categories"] = s.ID(), s.Source, len(s.Categories)
	return s, e.Categories.AddCategorySet(ctx, s, ev)
}

func (e *Engine) categorySet(ctx context.Context, id string) (CategorySet, error) {
	s, err := e.Categories.CategorySet(ctx, id)
	if CodeOf(err) == NotFound {
		err = Errorf(NotFound, "there is no category set %q", id).WithHint("`semblance category list` names those that are there as NAME/VERSION; add one with `semblance category add FILE`.")
	}
	return s, err
}

// An EntryCategory is what the exporting agency says of an entry. It is never a grade of
// the media that was compared with it.
type EntryCategory struct {
	Value   string  `json:"value"`         // as the source wrote it
	Set     string  `json:"set,omitempty"` // NAME/VERSION; empty: the collection names none
	Label   string  `json:"label,omitempty"`
	Concern Concern `json:"concern,omitempty"` // empty: not known
}

// String is the category as a person reads it.
func (c *EntryCategory) String() string {
	switch {
	case c == nil:
		return ""
	case c.Label != "":
		return fmt.Sprintf("category %s, %s (%s)", c.Value, c.Label, c.Set)
	case c.Set != "":
		return fmt.Sprintf("category %s, which %s does not have", c.Value, c.Set)
	}
	return fmt.Sprintf("category %s of an unnamed set", c.Value)
}

// A labeler gives entries of collections their categories.
type labeler struct {
	e    *Engine
	sets map[string]*CategorySet
}

func (e *Engine) labeler() *labeler { return &labeler{e: e, sets: map[string]*CategorySet{}} }

// label is the category of an entry, nil when it has none.
func (l *labeler) label(ctx context.Context, c Collection, value string) (*EntryCategory, error) {
	if value == "" {
		return nil, nil
	}
	out := &EntryCategory{Value: value, Set: c.CategorySet}
	if c.CategorySet == "" {
		return out, nil
	}
	s, ok := l.sets[c.CategorySet]
	if !ok {
		set, err := l.e.categorySet(ctx, c.CategorySet)
		if err != nil {
			return nil, err
		}
		s, l.sets[c.CategorySet] = &set, &set
	}
	if k := s.Category(value); k != nil {
		out.Label, out.Concern = k.Label, k.Concern
	}
	return out, nil
}
