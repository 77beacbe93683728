package semblance

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// GroupCoreQuality is the quality from which a face can begin or join groups; one that
// is poorer joins a group that is there and decides nothing.
const GroupCoreQuality = 60

// groupDistances are the thresholds of the engines; docs/groups.md says how they were
// chosen, and on whom. An engine that is not here needs one from the person who asks.
func groupDistances(e EngineName) (join, near float64, ok bool) {
	switch e {
	case YuNetMobileFaceNet, MTCNNMobileFaceNet:
		return 0.35, 0.5, true
	case YuNetDlib, DlibHOG:
		return 0.3, 0.4, true
	}
	return 0, 0, false
}

// A GroupRequest asks for the faces of cases to be grouped.
type GroupRequest struct {
	Cases    []string // numbers
	All      bool     // instead of Cases: every case there is
	Engine   EngineName
	Fresh    bool    // begin again; groups edited by hand stay
	Distance float64 // 0: the engine's own
	Progress func(done, total int)
}

// A GroupResult is what a run did.
type GroupResult struct {
	Grouping Grouping         `json:"grouping"`
	Media    int              `json:"media"`  // looked at
	Faces    int              `json:"faces"`  // new to the grouping
	Joined   int              `json:"joined"` // of them, into groups that were there
	Formed   int              `json:"formed"` // new groups of several faces
	Alone    int              `json:"alone"`  // new faces that are by themselves
	Gone     int              `json:"gone"`   // faces that are no longer found in their media
	Near     int              `json:"near"`   // pairs of groups to look at
	LeftOut  []GroupExclusion `json:"left_out"`
	Seconds  float64          `json:"seconds"`
	Limits   string           `json:"limits"`
}

// GroupFaces puts the faces of cases into groups. A first run, or a fresh one, gives the
// same groups for the same faces whatever order they came in. A later run adds what is
// new: it puts faces into groups that are there or into new ones, and never takes a
// group apart, moves a face that has company, or joins two groups that exist.
func (e *Engine) GroupFaces(ctx context.Context, who Actor, r GroupRequest) (GroupResult, error) {
	start := time.Now()
	if !e.grouping.TryLock() { // one holds every embedding of its cases in memory
		return GroupResult{}, Errorf(Busy, "faces are being grouped already").WithHint("Run it again when that has ended.")
	}
	defer e.grouping.Unlock()
	scope, err := e.groupScope(ctx, r.Cases, r.All, r.Engine)
	if err != nil {
		return GroupResult{}, err
	}
	in, cores, err := e.groupInput(ctx, scope, r)
	if err != nil {
		return GroupResult{}, err
	}
	run, err := e.place(ctx, scope, in, cores, r.Progress)
	if err != nil {
		return GroupResult{}, err
	}
	run.Fresh = r.Fresh && in.Grouping.ID != ""
	res := run.result()
	res.LeftOut = append(some(in.LeftOut), run.leftOut...)
	res.Limits = scope.Engine.Limits
	ev := e.groupEvent(who, "group.run", scope, map[string]any{"engine": scope.Engine.Signal(), "distance": run.Grouping.Distance,
		"fresh": r.Fresh, "media": res.Media, "faces": res.Faces, "formed": res.Formed, "joined": res.Joined, "gone": res.Gone})
	if res.Grouping, err = e.Groupings.SaveGroups(ctx, run.GroupRun, ev); err != nil {
		return GroupResult{}, err
	}
	res.Seconds = math.Round(time.Since(start).Seconds()*1000) / 1000
	return res, nil
}

// groupInput reads what a run needs, and decides its thresholds. The grouping is read
// first: whatever changes it afterwards makes the run a Conflict when it is stored.
func (e *Engine) groupInput(ctx context.Context, scope GroupScope, r GroupRequest) (in GroupInput, cores []GroupCore, err error) {
	g, err := e.Groupings.Grouping(ctx, scope)
	if err != nil && CodeOf(err) != NotFound {
		return in, nil, err
	}
	fresh := r.Fresh && g.ID != ""
	thresholds, err := groupThresholds(g, scope, r, fresh)
	if err != nil {
		return in, nil, err
	}
	var reading sync.WaitGroup
	var failed error
	if g.ID != "" {
		reading.Go(func() { cores, failed = e.Groupings.GroupCores(ctx, g.ID, fresh) })
	}
	in, err = e.Groupings.Ungrouped(ctx, scope, r.Fresh)
	reading.Wait()
	in.Grouping = thresholds
	if err == nil {
		err = failed
	}
	return in, cores, err
}

// some is list, and never nil.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// groupScope resolves whose faces are meant.
func (e *Engine) groupScope(ctx context.Context, numbers []string, all bool, name EngineName) (GroupScope, error) {
	spec, err := e.Engines.ByName(name)
	if err == nil {
		err = e.pinned(ctx, spec)
	}
	s := GroupScope{Engine: spec, All: all}
	if err != nil {
		return s, err
	}
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	switch {
	case all && len(numbers) > 0:
		return s, Errorf(Invalid, "cases are named and all are asked for").WithHint("Give --case NUMBER,... or --all, not both.")
	case all:
		s.Cases, err = e.Cases.Cases(ctx)
		if err == nil && len(s.Cases) == 0 {
			err = Errorf(NotFound, "there is no case yet").WithHint("Create one with `semblance case create` and scan an exhibit.")
		}
		return s, err
	case len(numbers) == 0:
		return s, Errorf(Invalid, "no case was named whose faces are grouped").
			WithHint("Name one or more with --case NUMBER,NUMBER; only their faces are looked at. --all takes every case.")
	}
	for _, n := range numbers {
		c, err := e.Cases.Case(ctx, n)
		if err != nil {
			return s, err
		}
		s.Cases = append(s.Cases, c)
	}
	return s, nil
}

// groupEvent starts an audit event that is about several cases.
func (e *Engine) groupEvent(who Actor, action string, s GroupScope, detail map[string]any) AuditEvent {
	ev := e.event(who, action, nil)
	if len(s.Cases) == 1 {
		ev = e.event(who, action, &s.Cases[0])
	}
	var cases []map[string]string
	for _, c := range s.Cases {
		cases = append(cases, map[string]string{"case": c.Number, "purpose": c.Purpose, "basis": c.Basis})
	}
	detail["cases"] = cases
	ev.Detail = detail
	return ev
}

// groupThresholds decides the thresholds of a run: a grouping keeps those it began with.
func groupThresholds(g Grouping, s GroupScope, r GroupRequest, fresh bool) (Grouping, error) {
	if d := r.Distance; math.IsNaN(d) || d < 0 || d > 2 {
		return g, Errorf(Invalid, "the distance %g cannot be used", d).WithHint("Give one above 0 and up to 2; without one the engine's own is taken.")
	}
	if g.ID != "" && !fresh {
		if r.Distance != 0 && r.Distance != g.Distance {
			return g, Errorf(Conflict, "these faces were grouped at distance %.4f, and groups of two distances would not mean the same", g.Distance).
				WithHint("Say --fresh to begin again at %.4f; groups edited by hand stay.", r.Distance)
		}
		return g, nil
	}
	g.Engine, g.Version, g.All = s.Engine.Name, s.Engine.Version, s.All
	join, near, ok := groupDistances(s.Engine.Name)
	switch {
	case r.Distance != 0:
		g.Distance, g.NearDistance = r.Distance, max(near, r.Distance)
	case ok:
		g.Distance, g.NearDistance = join, near
	default:
		return g, Errorf(Invalid, "no distance for grouping was measured for engine %s", s.Engine.Name).
			WithHint("Give one with --distance; `semblance evaluate` shows the distances of pictures whose persons you know.")
	}
	return g, nil
}
