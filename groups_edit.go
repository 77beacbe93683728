package semblance

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
)

// ListGroups lists the groups of the cases and engine of a request, once they were
// grouped; the view is audited.
func (e *Engine) ListGroups(ctx context.Context, who Actor, r GroupRequest, f GroupFilter) (Grouping, []FaceGroup, error) {
	scope, g, err := e.groupingOf(ctx, r)
	if err != nil {
		return g, nil, err
	}
	list, err := e.Groups.Groups(ctx, g.ID, f)
	if err != nil {
		return g, nil, err
	}
	ids := make([]GroupID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return g, list, e.Audit.Append(ctx, e.groupEvent(who, "view", scope, map[string]any{"list": "groups", "groups": ids}))
}

// NearGroups lists pairs of groups that may be of one person, nearest first; the view
// is audited.
func (e *Engine) NearGroups(ctx context.Context, who Actor, r GroupRequest, limit int) (Grouping, []NearGroups, error) {
	scope, g, err := e.groupingOf(ctx, r)
	if err != nil {
		return g, nil, err
	}
	list, err := e.Groupings.NearGroups(ctx, g.ID, limit)
	if err != nil {
		return g, nil, err
	}
	return g, list, e.Audit.Append(ctx, e.groupEvent(who, "view", scope, map[string]any{"list": "near groups", "pairs": len(list)}))
}

// GroupEdits lists what was done by hand to the groups of a scope, oldest first; the
// view is audited.
func (e *Engine) GroupEdits(ctx context.Context, who Actor, r GroupRequest) (Grouping, []GroupEdit, error) {
	scope, g, err := e.groupingOf(ctx, r)
	if err != nil {
		return g, nil, err
	}
	list, err := e.Groups.GroupEdits(ctx, g.ID)
	if err != nil {
		return g, nil, err
	}
	return g, list, e.Audit.Append(ctx, e.groupEvent(who, "view", scope, map[string]any{"list": "group edits", "edits": len(list)}))
}

func (e *Engine) groupingOf(ctx context.Context, r GroupRequest) (GroupScope, Grouping, error) {
	scope, err := e.groupScope(ctx, r.Cases, r.All, r.Engine)
	if err != nil {
		return scope, Grouping{}, err
	}
	g, err := e.Groupings.Grouping(ctx, scope)
	return scope, g, err
}

// scopeOf is the scope of a grouping, for the audit chain.
func (e *Engine) scopeOf(ctx context.Context, g Grouping) (GroupScope, error) {
	spec, err := e.Engines.ByName(g.Engine)
	s := GroupScope{Engine: spec, All: g.All}
	for _, n := range g.Cases {
		if err != nil {
			return s, err
		}
		var c Case
		c, err = e.Cases.Case(ctx, n)
		s.Cases = append(s.Cases, c)
	}
	return s, err
}

// ShowGroup returns a group with its faces, nearest to the others first, and the groups
// near it as they are now. The view is audited.
func (e *Engine) ShowGroup(ctx context.Context, who Actor, id GroupID) (GroupView, error) {
	g, of, err := e.Groups.Group(ctx, id)
	v := GroupView{Group: g, Grouping: of}
	if err != nil {
		return v, err
	}
	scope, err := e.scopeOf(ctx, of)
	if err != nil {
		return v, err
	}
	core := GroupCore{Group: id, Faces: g.Members}.made()
	if v.Near, err = e.nearTo(ctx, scope, of, core); err != nil {
		return v, err
	}
	v.Group.distances(scope.Engine.Metric, core)
	v.Limits = scope.Engine.Limits
	return v, e.Audit.Append(ctx, e.groupEvent(who, "view", scope, map[string]any{"group": id, "faces": len(g.Members)}))
}

// distances fills in how far each member is from the others that count.
func (g *FaceGroup) distances(m Metric, core GroupCore) {
	for i := range g.Members {
		f := &g.Members[i]
		n, squares, square, inner := float64(core.Count), core.Squares, squareOf(f.Embedding), dot(core.Vector, f.Embedding)
		if !f.Poor {
			n, squares, inner = n-1, squares-square, inner-square
		}
		if n > 0 {
			d := RoundDistance(m.fromSquare(max(0, square+squares/n-2*inner/n)))
			f.Distance = &d
		}
	}
	slices.SortStableFunc(g.Members, func(a, b GroupFace) int {
		switch {
		case a.Distance == nil || b.Distance == nil:
			return 0
		}
		return cmp.Compare(*a.Distance, *b.Distance)
	})
}

// nearTo compares a group with all others, which takes as long as reading them.
func (e *Engine) nearTo(ctx context.Context, scope GroupScope, of Grouping, core GroupCore) ([]NearGroups, error) {
	if core.Count == 0 {
		return []NearGroups{}, nil
	}
	others, err := e.Groupings.GroupCores(ctx, of.ID, false)
	if err != nil {
		return nil, err
	}
	m := scope.Engine.Metric
	l := linker{}
	l.add(core.Vector, core.Squares, core.Count)
	out := []NearGroups{}
	for _, o := range others {
		if o.Vector == nil {
			o = o.made()
		}
		if o.Group == core.Group || o.Count == 0 {
			continue
		}
		l.sums, l.squares, l.counts = append(l.sums[:1], o.Vector), append(l.squares[:1], o.Squares), append(l.counts[:1], int32(o.Count))
		if d := m.fromSquare(l.distance(0, 1)); d <= of.NearDistance {
			out = append(out, NearGroups{A: core.Group, B: o.Group, Distance: RoundDistance(d)})
		}
	}
	slices.SortStableFunc(out, func(a, b NearGroups) int { return cmp.Compare(a.Distance, b.Distance) })
	return out[:min(len(out), 20)], nil
}

// MergeGroups puts all faces of b into a. Groups with faces in one picture are refused
// unless anyway is set, which is audited: two faces of one picture are two persons,
// except in a collage.
func (e *Engine) MergeGroups(ctx context.Context, who Actor, a, b GroupID, anyway bool) (GroupEdit, error) {
	if a == b {
		return GroupEdit{}, Errorf(Invalid, "group %s cannot be merged with itself", a)
	}
	from, of, err := e.Groups.Group(ctx, b)
	if err != nil {
		return GroupEdit{}, err
	}
	return e.editGroups(ctx, who, of, GroupEdit{Kind: GroupMerge, From: b, To: a}, from.Members, anyway)
}

// SplitGroup puts some faces of a group into a new one. Each is named as FaceRef prints
// it; the media's digits may be cut short as long as the group has one face of that name.
func (e *Engine) SplitGroup(ctx context.Context, who Actor, id GroupID, faces []string) (GroupEdit, error) {
	return e.moveFaces(ctx, who, GroupEdit{Kind: GroupSplit, From: id}, faces, false)
}

// MoveFaces puts some faces of a group into another one that exists.
func (e *Engine) MoveFaces(ctx context.Context, who Actor, from, to GroupID, faces []string, anyway bool) (GroupEdit, error) {
	if from == to {
		return GroupEdit{}, Errorf(Invalid, "the faces are in group %s already", to)
	}
	return e.moveFaces(ctx, who, GroupEdit{Kind: GroupMove, From: from, To: to}, faces, anyway)
}

func (e *Engine) moveFaces(ctx context.Context, who Actor, edit GroupEdit, faces []string, anyway bool) (GroupEdit, error) {
	g, of, err := e.Groups.Group(ctx, edit.From)
	if err != nil {
		return edit, err
	}
	moved, err := g.named(faces)
	if err != nil {
		return edit, err
	}
	for _, f := range moved {
		edit.Faces = append(edit.Faces, f.FaceRef)
	}
	return e.editGroups(ctx, who, of, edit, moved, anyway)
}

// NameGroup gives a group a name and a note; empty ones take them away.
func (e *Engine) NameGroup(ctx context.Context, who Actor, id GroupID, name, note string) (GroupEdit, error) {
	if len(name) > 200 || len(note) > 2000 {
		return GroupEdit{}, Errorf(Invalid, "a group's name may have 200 bytes and its note 2000")
	}
	_, of, err := e.Groups.Group(ctx, id)
	if err != nil {
		return GroupEdit{}, err
	}
	return e.editGroups(ctx, who, of, GroupEdit{Kind: GroupName, From: id, Name: name, Note: note}, nil, false)
}

// UndoGroupEdit takes an edit back.
func (e *Engine) UndoGroupEdit(ctx context.Context, who Actor, id GroupEditID) (GroupEdit, error) {
	return e.Groups.UndoGroupEdit(ctx, id, e.event(who, "group.undo", nil))
}

// editGroups checks that no picture's faces come together and does the edit.
func (e *Engine) editGroups(ctx context.Context, who Actor, of Grouping, edit GroupEdit, moved []GroupFace, anyway bool) (GroupEdit, error) {
	shared := 0
	if edit.To != "" {
		to, _, err := e.Groups.Group(ctx, edit.To)
		if err != nil {
			return edit, err
		}
		if shared = sharedPictures(to.Members, moved); shared > 0 && !anyway {
			return edit, Errorf(Conflict, "the groups %s and %s have faces in one picture, in %d of them: two faces of one picture cannot be one person", edit.To, edit.From, shared).
				WithHint("Where the picture is a collage, say --anyway (in the API, anyway); it is audited. Else split off the face that is wrong first.")
		}
	}
	scope, err := e.scopeOf(ctx, of)
	if err != nil {
		return edit, err
	}
	edit.Actor = who
	detail := map[string]any{"from": edit.From, "to": edit.To, "faces": len(moved), "name": edit.Name, "anyway": shared > 0}
	return e.Groups.EditGroups(ctx, edit, e.groupEvent(who, "group."+string(edit.Kind), scope, detail))
}

// sharedPictures counts the pictures, and the appearances in a video, in which both have
// a face.
func sharedPictures(a, b []GroupFace) int {
	in := map[pictureKey]bool{}
	for _, f := range a {
		in[pictureKey{f.Media, f.Frame}] = true
	}
	both := map[pictureKey]bool{}
	for _, f := range b {
		k := pictureKey{f.Media, f.Frame}
		if in[k] || f.Appearance != nil && slices.ContainsFunc(a, func(o GroupFace) bool {
			return o.Media == f.Media && o.Appearance != nil && o.Appearance.From <= f.Appearance.Until && f.Appearance.From <= o.Appearance.Until
		}) {
			both[k] = true
		}
	}
	return len(both)
}

// named finds the members that are meant.
func (g *FaceGroup) named(faces []string) ([]GroupFace, error) {
	if len(faces) == 0 {
		return nil, Errorf(Invalid, "no face was named").WithHint("Name them as MEDIA:FACE, as `semblance group show %s` prints them.", g.ID)
	}
	out := make([]GroupFace, 0, len(faces))
	for _, name := range faces {
		digits, number, ok := strings.Cut(strings.ToLower(name), ":")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || len(digits) < 8 {
			return nil, Errorf(Invalid, "%q does not name a face", name).
				WithHint("Write the first 8 or more digits of the media's SHA-256, a colon and the face's number: 3f0c9a1e:0.")
		}
		var found []GroupFace
		for _, m := range g.Members {
			if m.Face == n && strings.HasPrefix(m.Media.String(), digits) {
				found = append(found, m)
			}
		}
		switch {
		case len(found) == 0:
			return nil, Errorf(Invalid, "the face %s is not in group %s", name, g.ID).WithHint("`semblance group show %s` lists its faces.", g.ID)
		case len(found) > 1:
			return nil, Errorf(Invalid, "%s names %d faces of group %s", name, len(found), g.ID).WithHint("Give more digits of the media.")
		case slices.ContainsFunc(out, func(f GroupFace) bool { return f.FaceRef == found[0].FaceRef }):
			continue
		}
		out = append(out, found[0])
	}
	return out, nil
}
