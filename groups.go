package semblance

import (
	"context"
	"strconv"
	"strings"
	"time"
)

type (
	// A GroupingID identifies the groups of some cases.
	GroupingID string
	// A GroupID identifies a face group; people type it.
	GroupID string
	// A GroupEditID identifies one edit by hand; people type it.
	GroupEditID string
)

// A GroupScope says whose faces are grouped: those of the named cases and no
// others, found by one engine. Every scope has groups and edits of its own, so that
// no case is looked into that was not named.
type GroupScope struct {
	Engine EngineSpec
	Cases  []Case // by number; with All every case there is
	All    bool
}

// A Grouping is the faces of a scope, put into groups.
type Grouping struct {
	ID           GroupingID `json:"id"`
	Engine       EngineName `json:"engine"`
	Version      int        `json:"version"`
	Cases        []string   `json:"cases"` // numbers
	All          bool       `json:"all,omitempty"`
	Distance     float64    `json:"distance"`      // largest mean distance at which faces are put together
	NearDistance float64    `json:"near_distance"` // and at which groups are suggested to a person
	Updated      time.Time  `json:"updated"`
}

// A FaceRef names one face of a media, as the engine of its grouping found it.
type FaceRef struct {
	Media SHA256 `json:"media"`
	Face  int    `json:"face"`
}

// String returns the form that people type: the media's digits, a colon, the face.
func (r FaceRef) String() string { return r.Media.String() + ":" + strconv.Itoa(r.Face) }

// Compare orders by media, then face: the order in which faces are grouped.
func (r FaceRef) Compare(o FaceRef) int {
	if c := strings.Compare(string(r.Media[:]), string(o.Media[:])); c != 0 {
		return c
	}
	return r.Face - o.Face
}

// A FaceGroup is faces that may be of one person: a lead for a trained examiner,
// never an identification. Counts are of what is stored now.
type FaceGroup struct {
	ID       GroupID     `json:"id"`
	Grouping GroupingID  `json:"grouping"`
	Name     string      `json:"name,omitempty"` // given by hand
	Note     string      `json:"note,omitempty"`
	Edited   bool        `json:"edited,omitempty"` // by hand: no later run takes it apart
	Faces    int         `json:"faces"`
	Poor     int         `json:"poor,omitempty"` // of them, faces that joined and decided nothing
	Exhibits int         `json:"exhibits"`       // in which one of its faces was seen
	Cases    int         `json:"cases"`
	Members  []GroupFace `json:"members,omitempty"` // of one group that is shown
}

// A GroupFace is one face of a group. The same media in several exhibits is one
// face seen in several places.
type GroupFace struct {
	FaceRef
	Frame      int         `json:"frame,omitempty"`
	Appearance *Appearance `json:"appearance,omitempty"` // of a face in a video
	Box        Box         `json:"box"`
	Quality    float32     `json:"quality"`
	Poor       bool        `json:"poor,omitempty"`     // under GroupCoreQuality
	Distance   *float64    `json:"distance,omitempty"` // mean distance from the group's other faces; nil for a face alone
	Seen       []Sighting  `json:"seen,omitempty"`
	Embedding  []float32   `json:"-"`
}

// A Sighting is a place where a media lies.
type Sighting struct {
	Case    string `json:"case"`
	Exhibit string `json:"exhibit"`
	Path    string `json:"path"`
}

// NearGroups are two groups that were not put together and may be of one person:
// a suggestion for a person to look at.
type NearGroups struct {
	A        GroupID `json:"a"`
	B        GroupID `json:"b"`
	Distance float64 `json:"distance"` // mean distance between their faces
}

// A GroupView is a group as it is shown.
type GroupView struct {
	Group    FaceGroup    `json:"group"`
	Grouping Grouping     `json:"grouping"`
	Near     []NearGroups `json:"near"`   // as they are now, nearest first
	Limits   string       `json:"limits"` // of the engine
}

// A GroupEditKind says what a person did to groups.
type GroupEditKind string

// The kinds of edits.
const (
	GroupMerge GroupEditKind = "merge" // all faces of the second group go into the first
	GroupSplit GroupEditKind = "split" // some faces go into a new group
	GroupMove  GroupEditKind = "move"  // some faces go into another group
	GroupName  GroupEditKind = "name"  // name and note
)

// A GroupEdit is one change by hand. It can be undone unless a later one rests on it.
type GroupEdit struct {
	ID       GroupEditID   `json:"id"`
	Grouping GroupingID    `json:"grouping"`
	Kind     GroupEditKind `json:"kind"`
	From     GroupID       `json:"from,omitempty"` // whose faces moved; of a name, the group
	To       GroupID       `json:"to,omitempty"`   // where they went; empty when asked for: a new group
	Faces    []FaceRef     `json:"faces,omitempty"`
	Name     string        `json:"name,omitempty"` // after the edit
	Note     string        `json:"note,omitempty"`
	Actor    Actor         `json:"actor"`
	Time     time.Time     `json:"time"`
	Undone   *time.Time    `json:"undone,omitempty"`
}

// A GroupCore is what a run needs to know of a group that exists: the sum of the
// embeddings that count. Where that is not known, Vector is nil and Faces are all it has.
type GroupCore struct {
	Group   GroupID
	Edited  bool
	Vector  []float32 // sum over Count embeddings
	Squares float64   // sum of their squared lengths
	Count   int       // 0: poor faces only, and Vector is the sum over Poor ones
	Poor    int
	Faces   []GroupFace // with embeddings
}

// A GroupInput is what a run has to look at.
type GroupInput struct {
	Grouping Grouping         // without ID when there is none yet
	Faces    []GroupFace      // of media that are not in the grouping as they are now, by FaceRef, with embeddings
	Held     []HeldFace       // what the grouping holds of the same media
	Media    []SHA256         // that were looked at, with faces or without
	LeftOut  []GroupExclusion // what cannot be grouped
}

// A HeldFace is a face in a grouping.
type HeldFace struct {
	Key        int64 // the store's own
	Ref        FaceRef
	Frame      int
	Appearance *Appearance // of a face in a video; nil where it has gone
	Box        Box
	Group      GroupID
	Gone       bool // its face set was replaced since
}

// A GroupExclusion says what of a case is left out of a grouping, and why.
type GroupExclusion struct {
	Case   string `json:"case"`
	Media  int    `json:"media"`
	Faces  int    `json:"faces,omitempty"`
	Reason string `json:"reason"`
}

// A GroupPlacing is what a run decided of one group: a new one when Group is empty.
type GroupPlacing struct {
	Group  GroupID
	Joined []GroupFace // new faces
	Moved  []GroupID   // groups of one poor face that join this one
	Core   GroupCore   // as it is now
}

// A GroupRun is all that a run decided, stored in one step.
type GroupRun struct {
	Scope    GroupScope
	Grouping Grouping // as it was read: a grouping that changed meanwhile is a Conflict
	Fresh    bool     // groups that no hand has touched are dropped first
	Media    []SHA256
	Rebound  []HeldFace // held faces under their present Ref and Box
	Gone     []HeldFace // held faces that are no longer found
	Placings []GroupPlacing
	Near     []NearPlacing
}

// A NearPlacing is a suggestion between the groups of two placings of a run.
type NearPlacing struct {
	A, B     int // positions in Placings
	Distance float64
}

// A GroupFilter says which groups are listed.
type GroupFilter struct {
	Least     int  // faces
	CrossCase bool // only groups seen in several cases
	Exhibits  bool // most exhibits first, instead of most faces
	After     int  // groups to skip
	Limit     int  // 0: 100
}

// A GroupingStore keeps what a run needs and what it decided.
type GroupingStore interface {
	// Grouping returns the grouping of a scope; NotFound when there is none.
	Grouping(ctx context.Context, s GroupScope) (Grouping, error)
	// Ungrouped reads what a run has to look at: with fresh every face that is not in
	// a group edited by hand, else only media that are new or were examined again.
	Ungrouped(ctx context.Context, s GroupScope, fresh bool) (GroupInput, error)
	// GroupCores returns all groups of a grouping, or, with edited, those edited by
	// hand, in the order of their age.
	GroupCores(ctx context.Context, g GroupingID, edited bool) ([]GroupCore, error)
	// SaveGroups stores a run and audits it in the same transaction.
	SaveGroups(ctx context.Context, r GroupRun, ev AuditEvent) (Grouping, error)
	// NearGroups lists suggestions, nearest first.
	NearGroups(ctx context.Context, g GroupingID, limit int) ([]NearGroups, error)
}

// A GroupStore shows groups and keeps edits by hand. Every edit is audited in the
// transaction that stores it.
type GroupStore interface {
	// Groups lists groups, those with most faces or exhibits first.
	Groups(ctx context.Context, g GroupingID, f GroupFilter) ([]FaceGroup, error)
	// Group returns a group with its members and their embeddings; NotFound when there is none.
	Group(ctx context.Context, id GroupID) (FaceGroup, Grouping, error)
	// EditGroups does an edit and returns it with its ID. Faces that are not in From
	// are Invalid.
	EditGroups(ctx context.Context, e GroupEdit, ev AuditEvent) (GroupEdit, error)
	// UndoGroupEdit takes an edit back; Conflict when a later one rests on it or it was
	// undone already.
	UndoGroupEdit(ctx context.Context, id GroupEditID, ev AuditEvent) (GroupEdit, error)
	// GroupEdits lists the edits of a grouping, oldest first.
	GroupEdits(ctx context.Context, g GroupingID) ([]GroupEdit, error)
}
