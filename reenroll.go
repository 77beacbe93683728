package semblance

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

// A ReenrollRequest asks for the references of a faces collection to be made again
// with another engine.
type ReenrollRequest struct {
	Collection string
	Engine     EngineName // empty is the default engine
	LeaveOut   bool       // switch although some references cannot be made; they stay, named and not searched
	Lanes      int        // pictures worked on at once; 0 is one
	Progress   func(Reenrollment)
}

// A ReenrollResult tells what became of the references.
type ReenrollResult struct {
	Collection string     `json:"collection"`
	From       string     `json:"from"` // signals, such as "face/yunet-mobilefacenet-1"
	To         string     `json:"to"`
	Nothing    bool       `json:"nothing,omitempty"` // the collection has that engine and version already
	Switched   bool       `json:"switched"`
	References int64      `json:"references"`
	Kept       int64      `json:"kept"` // of them, those that an earlier run had made
	LeftOut    []BadImage `json:"left_out,omitempty"`
}

// A BadImage is a reference of which an engine can make nothing, with the reason.
type BadImage struct {
	Reference ReferenceID `json:"reference"`
	Subject   string      `json:"subject"`
	Source    string      `json:"source"`
	Reason    string      `json:"reason"`
}

// reenrollBatch is how many references are staged at once: what an interruption
// loses at most.
const reenrollBatch = 32

// Reenroll makes the references of a faces collection again with another engine,
// from the kept originals, beside those the collection has; it is searched as it
// was meanwhile. When all are made, what was added and removed in the meantime
// included, one transaction switches. A run that is interrupted goes on where it
// was. References that the engine can make nothing of are named, and keep the
// switch from happening (Invalid) unless LeaveOut is set.
func (e *Engine) Reenroll(ctx context.Context, who Actor, r ReenrollRequest) (ReenrollResult, error) {
	res := ReenrollResult{Collection: r.Collection}
	c, spec, err := e.Reenrollable(ctx, r)
	if err != nil {
		return res, err
	}
	res.From, res.To, res.References = EngineSpec{Name: c.Engine, Version: c.EngineVersion}.Signal(), spec.Signal(), c.Entries
	if c.Engine == spec.Name && c.EngineVersion == spec.Version {
		res.Nothing = true
		return res, nil
	}
	if err := e.pinEngine(ctx, who, spec.Name); err != nil {
		return res, err
	}
	if !e.claims.take(c.ID) {
		return res, Errorf(Conflict, "collection %q is being enrolled again already", c.Name).
			WithHint("`semblance collection show %s` tells how far it is.", c.Name)
	}
	defer e.claims.give(c.ID)
	ev := e.event(who, "collection.reenroll.begin", nil, c.Name)
	ev.Basis, ev.Detail["from"], ev.Detail["to"] = c.Basis, res.From, res.To
	now, err := e.Staging.BeginReenrollment(ctx, c.ID, Reenrollment{Engine: spec.Name, Version: spec.Version, Distance: spec.Distance, By: who, Started: e.now()}, ev)
	if err != nil {
		return res, err
	}
	res.Kept = now.Staged
	for {
		if err := e.stageAll(ctx, c, spec, r); err != nil {
			return res, err
		}
		err := e.switchEngine(ctx, who, c, r.LeaveOut, &res)
		if CodeOf(err) != Busy { // Busy: references came in between
			return res, err
		}
	}
}

// Reenrollable checks a request before anything is done, and returns the collection
// and the engine that are meant.
func (e *Engine) Reenrollable(ctx context.Context, r ReenrollRequest) (Collection, EngineSpec, error) {
	c, err := e.Collections.Collection(ctx, r.Collection)
	if err != nil {
		return c, EngineSpec{}, err
	}
	if c.Kind != Faces {
		return c, EngineSpec{}, Errorf(Invalid, "collection %q holds %s; only faces have an engine", c.Name, c.Kind)
	}
	spec, err := e.Engines.ByName(r.Engine)
	if err != nil {
		return c, spec, err
	}
	return c, spec, e.CheckEngine(ctx, spec.Name)
}

// stageAll stages until nothing is unstaged.
func (e *Engine) stageAll(ctx context.Context, c Collection, spec EngineSpec, r ReenrollRequest) error {
	for {
		old, err := e.Staging.Unstaged(ctx, c.ID, reenrollBatch)
		if err != nil || len(old) == 0 {
			return err
		}
		refs, err := e.againAll(ctx, spec, old, max(1, r.Lanes))
		if err != nil {
			return err
		}
		if err := e.Staging.Stage(ctx, c.ID, refs); err != nil {
			return err
		}
		if r.Progress == nil {
			continue
		}
		now, err := e.Staging.Reenrollment(ctx, c.ID)
		if err != nil {
			return err
		}
		r.Progress(now)
	}
}

// againAll makes a batch of references anew, several at once.
func (e *Engine) againAll(ctx context.Context, spec EngineSpec, old []Reference, lanes int) ([]Reference, error) {
	refs, errs := make([]Reference, len(old)), make([]error, len(old))
	next := make(chan int)
	var lane sync.WaitGroup
	for range lanes {
		lane.Go(func() {
			for i := range next {
				refs[i], errs[i] = e.again(ctx, spec, old[i])
			}
		})
	}
	for i := range old {
		next <- i
	}
	close(next)
	lane.Wait()
	return refs, errors.Join(errs...)
}

// again makes a reference anew from its original. The error is about us; what is
// wrong with the picture is in LeftOut.
func (e *Engine) again(ctx context.Context, spec EngineSpec, old Reference) (Reference, error) {
	ref := old
	ref.Engine, ref.Version = spec.Name, spec.Version
	made, err := e.faceAgain(ctx, spec, &ref)
	switch {
	case ctx.Err() != nil:
		return ref, ctx.Err()
	case CodeOf(err) == Unavailable || CodeOf(err) == ModelMismatch:
		return ref, err
	case err != nil:
		ref.LeftOut, ref.Crop = reasonOf(err), nil
		ref.Face.Embedding = nil
		return ref, nil
	}
	ref.Face, ref.Crop, ref.LeftOut = made, made.Crop, ""
	ref.Face.Crop = nil
	ref.label()
	return ref, nil
}

// reasonOf is the sentence of an error, without what is not to be shown.
func reasonOf(err error) string {
	var known *Error
	if errors.As(err, &known) {
		return known.Msg
	}
	return "it failed for a reason that the program does not know; run it again"
}

// faceAgain finds the face that overlaps the old one most, and sets the decoder.
func (e *Engine) faceAgain(ctx context.Context, spec EngineSpec, ref *Reference) (Face, error) {
	f, done, err := e.openObject(ctx, ref.SHA256)
	if err != nil {
		return Face{}, err
	}
	defer done()
	a, err := e.analyzeOnly(ctx, f, AnalyzeRequest{Engines: []EngineName{spec.Name}, Crops: true})
	if err != nil {
		return Face{}, err
	}
	ref.Decoder = a.Decoder
	set, ran := a.Faces(spec.Name)
	if !ran {
		return Face{}, Errorf(Internal, "engine %s did not run", spec.Name)
	}
	best, overlap := -1, 0.0
	for i, x := range set.Faces {
		if o := ref.Face.Box.Overlap(x.Box); oneFace(ref.Face, x) && o > overlap { // with or without an embedding: the reasons differ
			best, overlap = i, o
		}
	}
	if best < 0 {
		return Face{}, Errorf(FaceCount, "engine %s finds no face where the enrolled one is", spec.Name)
	}
	if why := unusable(spec, set.Faces[best]); why != "" {
		return Face{}, Errorf(EnrollmentRefused, "%s", why)
	}
	return set.Faces[best], nil
}

// switchEngine puts what is staged in its place and brings the index there.
func (e *Engine) switchEngine(ctx context.Context, who Actor, c Collection, leaveOut bool, res *ReenrollResult) error {
	end := SwitchWhole
	if leaveOut {
		end = SwitchLeavingOut
	}
	ev := e.event(who, "collection.reenroll", nil, c.Name)
	ev.Basis, ev.Detail["from"], ev.Detail["to"] = c.Basis, res.From, res.To
	out, err := e.Staging.EndReenrollment(ctx, c.ID, end, ev)
	res.LeftOut = nil
	for _, r := range out {
		res.LeftOut = append(res.LeftOut, BadImage{Reference: r.ID, Subject: r.Subject, Source: r.Source, Reason: r.LeftOut})
	}
	if CodeOf(err) == Invalid && len(out) > 0 {
		return Errorf(Invalid, "%d of the references of %q cannot be made with %s (the first: %s, %s: %s); nothing was changed, and what was made is kept",
			len(out), c.Name, res.To, out[0].Subject, out[0].Source, out[0].LeftOut).
			WithHint("Switch all the same with --leave-out-failed: they stay in the collection, named, and are not searched. Or give it up with --abandon.")
	}
	if err != nil {
		return err
	}
	res.Switched = true
	after, err := e.Collections.Collection(ctx, c.Name)
	if err != nil {
		return err
	}
	res.References = after.Entries
	return errors.Join(e.Vectors.Drop(ctx, c.ID), e.ready(ctx, after))
}

// AbandonReenroll forgets what was staged of a collection; it stays with the engine
// it has.
func (e *Engine) AbandonReenroll(ctx context.Context, who Actor, name string) error {
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return err
	}
	if !e.claims.take(c.ID) {
		return Errorf(Conflict, "collection %q is being enrolled again right now", c.Name).WithHint("Stop that first: cancel its job, or interrupt its command.")
	}
	defer e.claims.give(c.ID)
	ev := e.event(who, "collection.reenroll.abandon", nil, c.Name)
	ev.Basis = c.Basis
	_, err = e.Staging.EndReenrollment(ctx, c.ID, Abandon, ev)
	return err
}

// Reenrollment tells how far a collection is on its way to another engine; nil when
// it is on none.
func (e *Engine) Reenrollment(ctx context.Context, c CollectionID) (*Reenrollment, error) {
	r, err := e.Staging.Reenrollment(ctx, c)
	if CodeOf(err) == NotFound {
		return nil, nil
	}
	return &r, err
}

// isOf checks that a reference is of the engine that a collection had when it was
// read: a search or scan that began before a switch must not compare its probe with
// what another engine made.
func (r *Reference) isOf(c Collection) error {
	if r.Engine == c.Engine && r.Version == c.EngineVersion {
		return nil
	}
	return Errorf(ModelMismatch, "collection %q was moved from engine %s version %d to %s version %d while it was compared with", c.Name, c.Engine, c.EngineVersion, r.Engine, r.Version).
		WithHint("Run it again: a scan goes on from what it recorded.")
}

// claims are the collections that somebody works on in this process, which owns the
// data folder.
type claims struct {
	mu   sync.Mutex
	held map[CollectionID]bool
}

func (c *claims) take(id CollectionID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[id] {
		return false
	}
	if c.held == nil {
		c.held = map[CollectionID]bool{}
	}
	c.held[id] = true
	return true
}

func (c *claims) give(id CollectionID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, id)
}

// openObject opens an original as a file that can be handed to a worker.
func (e *Engine) openObject(ctx context.Context, sum SHA256) (*os.File, func(), error) {
	o, err := e.Objects.Open(ctx, sum)
	if err != nil {
		return nil, nil, err
	}
	if f, ok := o.(*os.File); ok {
		return f, func() { f.Close() }, nil
	}
	defer o.Close()
	f, err := os.CreateTemp("", "semblance-object-*")
	if err != nil {
		return nil, nil, err
	}
	done := func() { f.Close(); os.Remove(f.Name()) }
	if _, err := io.Copy(f, o); err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}
