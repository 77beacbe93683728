package semblance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"
)

// Parts are what an Engine is made of. Cases, Collections, References, Subjects, Staging,
// Entries, Media, Requests and Audit are usually one store. Analyzer may be nil: then
// digests, lookups and imports of hash lists work, and what needs pixels is
// Unavailable.
type Parts struct {
	Cases       CaseStore
	Collections CollectionStore
	References  ReferenceStore
	Subjects    SubjectStore
	Staging     StagingStore
	Entries     EntryStore
	Media       MediaStore
	Requests    RequestStore
	Groupings   GroupingStore
	Groups      GroupStore
	Audit       AuditLog
	Categories  CategoryStore
	// Calibrations may be nil: then no candidate has a band.
	Calibrations CalibrationStore
	Objects      ObjectStore
	Vectors      VectorIndex
	Hashes       HashIndex
	// Supplied finds supplied values, such as PhotoDNA. Nil: lookups of such values are
	// Unavailable.
	Supplied HashIndex
	// Videos holds video entries. Nil: videos are not compared with videos.
	Videos VideoIndex
	// Sets, SetFiles and SetRecords look digests up in digest sets, make their files and
	// know which there are. Nil: a collection that has some is Unavailable.
	Sets       SetIndex
	SetFiles   SetMaker
	SetRecords SetStore
	Analyzer   Analyzer
	// Selectors finds kept selectors, usually the same store. Nil: selectors collections
	// cannot be compared with.
	Selectors SelectorStore
	// Lookbacks, Notices and Kept are what looking back at old exhibits needs.
	Lookbacks LookbackStore
	Removals  EntryRemover
	// StackRecords keep the stacks of cases.
	StackRecords StackStore
	// LinkRecords tell what exhibits share.
	LinkRecords LinkStore
	Notices     NoticeStore
	Kept        KeptIndex
	// Engines are the face engines there are. The zero value is those built in.
	Engines EngineSet
	// Pins remember what own engines are made of. Nil: nothing is remembered.
	Pins PinStore
	// Providers are the enabled ones of the agency's own programs.
	Providers ProviderSet
	// CheckProvider says why a provider cannot work here (Unavailable, with the mend), or
	// nil. A nil func means that every provider works.
	CheckProvider func(ctx context.Context, name ProviderName) error
	// CheckEngine says why a face engine cannot work here (Unavailable, with how to
	// get it), or nil. A nil func means that every engine works.
	CheckEngine func(ctx context.Context, name EngineName) error
	// Now tells the time. A nil func means time.Now.
	Now    func() time.Time
	Limits Limits
}

// An Engine makes signals of media and compares them with reference collections.
// Its verbs are Signals and Compare, which store nothing, Search and Lookup,
// which leave an audit event, Enroll and its kin, which change collections, and
// Examine, with which a scan is built.
//
// An Engine is safe for concurrent use. It owns none of its parts.
type Engine struct {
	Parts
	sync      sync.Mutex   // held while an index is brought up to its collection's version
	originals sync.RWMutex // held for writing while originals are erased, for reading while a reference to one is stored
	claims    claims       // collections that are being enrolled again
	refits    sync.Mutex   // held while a calibration is looked for or made again
	grouping  sync.Mutex   // held while faces are grouped
	lookback  sync.Mutex   // held while old exhibits are looked back at
	stacking  sync.Mutex   // held while media are stacked
	bands     bands
}

// New returns an Engine of parts.
func New(p Parts) *Engine {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.CheckEngine == nil {
		p.CheckEngine = func(context.Context, EngineName) error { return nil }
	}
	p.Limits = p.Limits.WithDefaults()
	return &Engine{Parts: p}
}

// NewID returns a random identifier of 128 bits.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	return hex.EncodeToString(b[:])
}

// now is the time as it is stored: UTC, whole milliseconds.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Millisecond) }

// event starts an audit event.
func (e *Engine) event(who Actor, action string, c *Case, collections ...string) AuditEvent {
	ev := AuditEvent{Time: e.now(), Actor: who, Action: action, Collections: collections, Detail: map[string]any{}}
	if c != nil {
		ev.Case, ev.Purpose, ev.Basis = c.Number, c.Purpose, c.Basis
	}
	return ev
}

// ready brings the indexes up to the versions of collections, from the store.
func (e *Engine) ready(ctx context.Context, collections ...Collection) error {
	e.sync.Lock()
	defer e.sync.Unlock()
	for _, c := range collections {
		var err error
		switch c.Kind {
		case Faces:
			err = e.readyVectors(ctx, c)
		case Hashes, KnownGood:
			if err = e.readyEntries(ctx, c); err == nil {
				err = e.readySets(ctx, c)
			}
		}
		if err != nil {
			return fmt.Errorf("index collection %q: %w", c.Name, err)
		}
	}
	return nil
}

func (e *Engine) readyVectors(ctx context.Context, c Collection) error {
	spec, err := e.engineOf(c)
	if err != nil {
		return err
	}
	held, err := e.Vectors.Version(ctx, spec, c.ID)
	if err != nil || held == c.Version && held != 0 {
		return err
	}
	return e.Vectors.Replace(ctx, spec, c.ID, c.Version, each(func(yield func(Reference) error) error {
		return e.References.EachReference(ctx, c.ID, func(r Reference) error {
			if err := r.isOf(c); err != nil {
				return err
			}
			if r.LeftOut != "" { // it has no embedding, and whoever shows the collection says so
				return nil
			}
			return yield(r)
		})
	}, vectorOf))
}

// nearest searches the vector index in collections that ready was called for. An index
// that finds itself damaged says that it does not hold them any more; it is then made
// again from the store, and searched once more.
func (e *Engine) nearest(ctx context.Context, cols []Collection, q VectorQuery) ([][]Neighbor, error) {
	res, err := e.Vectors.Search(ctx, q)
	if err == nil || CodeOf(err) != Internal {
		return res, err
	}
	switch again := e.ready(ctx, cols...); {
	case CodeOf(again) == ModelMismatch: // not damaged: the collection has another engine now
		return nil, again
	case again != nil:
		return nil, errors.Join(err, again)
	}
	return e.Vectors.Search(ctx, q)
}

func vectorOf(r Reference) VectorEntry {
	return VectorEntry{ID: r.ID, Subject: r.Subject, Vector: r.Face.Embedding, Captured: indexDay(r.Captured)}
}

// errStop ends a walk whose consumer has had enough.
var errStop = Errorf(Canceled, "stopped")

// each turns a walk with a callback into a sequence.
func each[A, B any](walk func(func(A) error) error, conv func(A) B) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		err := walk(func(a A) error {
			if !yield(conv(a), nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != error(errStop) {
			var zero B
			yield(zero, err)
		}
	}
}

// resolve returns the named collections, sorted by name, without repeats. An
// empty list is Invalid: nothing is ever searched by default.
func (e *Engine) resolve(ctx context.Context, names []string) ([]Collection, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	if len(names) == 0 {
		return nil, Errorf(Invalid, "no collection was named to compare with").
			WithHint("Name one or more with --against NAME,NAME; `semblance collection list` shows them.")
	}
	out := make([]Collection, 0, len(names))
	for _, n := range names {
		c, err := e.Collections.Collection(ctx, n)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func names(cs []Collection) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.Name
	}
	return out
}

func ofKind(cs []Collection, kinds ...CollectionKind) []Collection {
	var out []Collection
	for _, c := range cs {
		if slices.Contains(kinds, c.Kind) {
			out = append(out, c)
		}
	}
	return out
}

func idsOf(cs []Collection) []CollectionID {
	out := make([]CollectionID, len(cs))
	for i, c := range cs {
		out[i] = c.ID
	}
	return out
}

// usable checks that a faces collection can be searched here: its engine is
// known, of the version its references were made with, and works.
func (e *Engine) usable(ctx context.Context, c Collection) (EngineSpec, error) {
	spec, err := e.engineOf(c)
	if err != nil {
		return spec, err
	}
	if err := e.pinned(ctx, spec); err != nil {
		return spec, err
	}
	if c.EngineVersion != spec.Version {
		return spec, Errorf(ModelMismatch, "collection %q was enrolled with version %d of engine %s; this program has version %d, and their signals are not comparable",
			c.Name, c.EngineVersion, c.Engine, spec.Version).
			WithHint("Run `semblance collection reenroll %s --engine %s`; it uses the kept references.", c.Name, c.Engine)
	}
	return spec, e.CheckEngine(ctx, spec.Name)
}
