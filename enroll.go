package semblance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// An EnrollRequest adds one image of one subject to a faces collection.
type EnrollRequest struct {
	Collection string
	Subject    string
	Source     string // file name, for people
	Face       *int   // which face, where the picture has several
	Captured   string // when it was taken: YYYY, YYYY-MM or YYYY-MM-DD; empty: what the camera wrote
	Born       string // when the subject was born, as far as known; it gives the age and is not kept
	Age        *int   // of the subject when the picture was taken
	Note       string
	Force      bool   // enroll although the gate refuses; audited
	Why        string // why, with Force
	File       *os.File
}

// An Enrollment is what became of a picture.
type Enrollment struct {
	Reference Reference `json:"reference"`
	Added     bool      `json:"added"` // false: the same picture of the same subject was there, and stays as it was
	Warnings  []string  `json:"warnings,omitempty"`
}

// Enroll adds a reference. The picture has exactly one face, or Face says which
// (FaceCount otherwise), and is kept for enrolling again with another engine. The
// collection's enrollment gate can refuse it (EnrollmentRefused, a *GateError).
// Enrolling the same picture of the same subject again changes nothing.
func (e *Engine) Enroll(ctx context.Context, who Actor, r EnrollRequest) (Enrollment, error) {
	var out Enrollment
	if err := r.check(); err != nil {
		return out, err
	}
	c, spec, err := e.faces(ctx, r.Collection)
	if err != nil {
		return out, err
	}
	if spec, err = e.usable(ctx, c); err != nil {
		return out, err
	}
	if out, err = e.reference(ctx, who, c, spec, r); err != nil || out.Reference.Seq != 0 {
		return out, err
	}
	ref := &out.Reference
	double, err := e.doubles(ctx, c, spec, *ref)
	if err != nil {
		return out, err
	}
	out.warn(double)
	n, err := e.keep(ctx, who, c, spec, *ref, r.File)
	if err != nil {
		return out, err
	}
	out.Added = n > 0
	return out, e.follow(ctx, c, func(version int64) error {
		return e.Vectors.Update(ctx, spec, c.ID, version, VectorChange{Add: []VectorEntry{vectorOf(*ref)}})
	}, func() (int64, error) { return e.Vectors.Version(ctx, spec, c.ID) })
}

func (r *EnrollRequest) check() error {
	if err := required("reference", "collection", r.Collection, "subject", r.Subject); err != nil {
		return err
	}
	switch why := strings.TrimSpace(r.Why); {
	case r.Force && why == "":
		return Errorf(Invalid, "an override of the enrollment gate needs a reason").WithHint("Say why with --force-reason; it is kept with the reference and in the audit chain.")
	case !r.Force && why != "":
		return Errorf(Invalid, "a reason for an override was given, but no override").WithHint("Say --force when it is meant.")
	}
	return nil
}

func (n *Enrollment) warn(text string) {
	if text != "" {
		n.Warnings = append(n.Warnings, text)
	}
}

// keep stores the original and the reference.
func (e *Engine) keep(ctx context.Context, who Actor, c Collection, spec EngineSpec, ref Reference, f *os.File) (int, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read %s again: %w", ref.Source, err)
	}
	// An erasure must not take the original away between the two steps.
	e.originals.RLock()
	defer e.originals.RUnlock()
	if err := e.Objects.Put(ctx, ref.SHA256, f); err != nil {
		return 0, err
	}
	ev := e.event(who, "collection.enroll", nil, c.Name)
	ev.Basis = c.Basis
	ev.Detail["subject"], ev.Detail["sha256"], ev.Detail["engine"], ev.Detail["quality"] = ref.Subject, ref.SHA256, spec.Signal(), ref.Face.Quality
	ev.Detail["reference"], ev.Detail["forced"] = ref.ID, ref.Override != nil
	if o := ref.Override; o != nil {
		ev.Detail["why"], ev.Detail["against"] = o.Why, o.Against
	}
	return e.References.AddReferences(ctx, c.ID, []Reference{ref}, ev)
}

// follow adds to an index what was just stored, when the index stood where the
// collection stood before. Otherwise it is brought up when it is next used.
func (e *Engine) follow(ctx context.Context, before Collection, add func(version int64) error, held func() (int64, error)) error {
	e.sync.Lock()
	defer e.sync.Unlock()
	v, err := held()
	if err != nil || v != before.Version {
		return err
	}
	after, err := e.Collections.Collection(ctx, before.Name)
	if err != nil {
		return err
	}
	if after.Version == before.Version+1 {
		return add(after.Version)
	}
	return nil
}

// reference analyzes a picture, puts it before the gate and makes a reference of its
// face. When the picture is there already as this subject's, that reference is
// returned, with its Seq.
func (e *Engine) reference(ctx context.Context, who Actor, c Collection, spec EngineSpec, r EnrollRequest) (out Enrollment, err error) {
	d, a, err := e.Signals(ctx, r.File, AnalyzeRequest{Engines: []EngineName{spec.Name}, Crops: true})
	if err != nil {
		return out, err
	}
	set, ran := a.Faces(spec.Name)
	if !ran {
		return out, Errorf(Internal, "engine %s did not run", spec.Name)
	}
	same, err := e.References.SameMedia(ctx, c.ID, d.SHA256)
	if err != nil {
		return out, err
	}
	for _, o := range same {
		if o.Subject == r.Subject {
			return r.there(o, set.Faces, a.Metadata.Taken, e.now())
		}
	}
	i, err := chooseFace(set.Faces, r.Face)
	if err != nil {
		return out, err
	}
	f := set.Faces[i]
	override, err := e.gate(who, c, spec, r, f, same)
	if err != nil {
		return out, err
	}
	for _, o := range same {
		if !oneFace(o.Face, f) {
			out.warn(fmt.Sprintf("another face of this picture is enrolled as %q", o.Subject))
		}
	}
	sum := sha256.Sum256([]byte(c.Name + "\x00" + r.Subject + "\x00" + hex.EncodeToString(d.SHA256[:]) + "\x00" + strconv.Itoa(i)))
	ref := Reference{ID: ReferenceID(hex.EncodeToString(sum[:16])), Collection: c.ID, Subject: r.Subject, Source: r.Source, SHA256: d.SHA256,
		Type: a.Type, Face: f, Crop: f.Crop, Engine: spec.Name, Version: spec.Version, Decoder: a.Decoder, Note: r.Note, Override: override, Created: e.now()}
	ref.Face.Crop = nil
	warning, err := r.capture(&ref, a.Metadata.Taken, e.now())
	if err != nil {
		return out, err
	}
	out.warn(warning)
	ref.label()
	out.Reference = ref
	return out, nil
}

// there is the answer to a picture that is enrolled already: it stays as it is, and
// what was stated of it now and differs is said not to be taken over.
func (r *EnrollRequest) there(old Reference, faces []Face, taken string, now time.Time) (Enrollment, error) {
	out := Enrollment{Reference: old}
	if r.Face != nil {
		i, err := chooseFace(faces, r.Face)
		if err != nil {
			return out, err
		}
		if !oneFace(old.Face, faces[i]) {
			return Enrollment{}, Errorf(Invalid, "the picture is enrolled as %q already, with another of its faces", old.Subject).
				WithHint("Remove reference %s first when that was the wrong one.", old.ID)
		}
	}
	var stated Reference
	if _, err := r.capture(&stated, taken, now); err != nil {
		return Enrollment{}, err
	}
	if r.Captured != "" && r.Captured != old.Captured || stated.Age != nil && (old.Age == nil || *old.Age != *stated.Age) || r.Note != "" && r.Note != old.Note {
		out.warn(fmt.Sprintf("it is enrolled already, and what is stated of it now is not taken over: remove reference %s and enroll it again", old.ID))
	}
	return out, nil
}

// chooseFace returns the index of the face meant. FaceCount says how many there
// are when that is not clear.
func chooseFace(faces []Face, which *int) (int, error) {
	switch n := len(faces); {
	case n == 0:
		return 0, Errorf(FaceCount, "no face was found").WithHint("Use a picture with a clear face of at least 40 pixels.")
	case which != nil && (*which < 0 || *which >= n):
		return 0, Errorf(FaceCount, "there is no face %d: the picture has %d, numbered from 0", *which, n)
	case which != nil:
		return *which, nil
	case n > 1:
		return 0, Errorf(FaceCount, "%d faces were found, and it is not said which is meant", n).
			WithHint("Choose one with --face N, numbered from 0 by detector score; `semblance faces` lists them.")
	}
	return 0, nil
}
