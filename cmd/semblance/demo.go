package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/models"
	"semblance/scan"
)

//go:embed demo.json
var demoPictures []byte

// The demo's case and collections.
const (
	demoCase    = "DEMO-1"
	demoExhibit = "phone"
	demoFaces   = "enrolled-persons"
	demoHashes  = "known-pictures"
	demoGood    = "known-good"
	demoSubject = "person-1"
)

func newDemo(e *env) *cobra.Command {
	var keep string
	cmd := &cobra.Command{Use: "demo", Short: "The main job on real photographs: lay out a small device, scan it, and check everything that was planted", Args: none,
		Long: `Portraits of two persons come from the tests of the Python package face_recognition
(public domain), through pip. One person is enrolled; a picture of the other is
registered as if it were known material. Everything is harmless. Nothing of yours is
touched: the demo has a data folder of its own.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.demo(cmd.Context(), keep) }}
	cmd.Flags().StringVar(&keep, "keep", "", "lay device and data out in this new folder and keep them")
	return cmd
}

func (e *env) demo(ctx context.Context, keep string) error {
	dir, done, err := e.demoFolder(keep)
	if err != nil {
		return err
	}
	defer done()
	pics, err := e.demoPull(ctx)
	if err != nil {
		return err
	}
	good := []byte("A text that every phone of this kind carries.\n")
	both := (&device{}).png(wallpaper(3))
	plants, err := layDevice(filepath.Join(dir, "device"), pics, good, both)
	if err != nil {
		return err
	}
	cfg := *e.cfg
	cfg.Data = filepath.Join(dir, "data")
	p, err := openProgram(ctx, &cfg, e.note)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := e.demoCollections(ctx, p, dir, pics, good, both); err != nil {
		return err
	}
	return e.demoScan(ctx, p, dir, plants)
}

func (e *env) demoFolder(keep string) (dir string, done func(), err error) {
	if keep != "" {
		dir = e.path(keep)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", nil, semblance.Errorf(semblance.Invalid, "the folder %q cannot be made", keep).WithHint("Name one that does not exist yet.").WithCause(err)
		}
		return dir, func() { e.say("kept in %s", dir) }, nil
	}
	dir, err = os.MkdirTemp("", "semblance-demo-*")
	return dir, func() { os.RemoveAll(dir) }, err
}

// demoPull brings the portraits, pinned by their SHA-256 like weights.
func (e *env) demoPull(ctx context.Context) (map[string][]byte, error) {
	m, err := models.ParseManifest(demoPictures)
	if err != nil {
		return nil, err
	}
	lib, err := models.Open(filepath.Join(e.cfg.Models, "demo-pictures"), models.Options{Manifest: m})
	if err != nil {
		return nil, err
	}
	view := newPullView(e)
	err = lib.Pull(ctx, models.PullOptions{Progress: view.progress, Note: view.note}, "all")
	view.wait()
	if err != nil {
		return nil, fmt.Errorf("the demo's photographs: %w", err)
	}
	out := map[string][]byte{}
	for _, a := range m.Artifacts {
		if out[a.Name], err = lib.Read(a.Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// demoCollections opens a case and fills a collection of each kind.
func (e *env) demoCollections(ctx context.Context, p *program, dir string, pics map[string][]byte, good, both []byte) error {
	eng, who := p.engine, e.who()
	_, err := eng.CreateCase(ctx, who, semblance.Case{Number: demoCase, Agency: "Demo agency", Country: "NL", Purpose: "demonstration", Basis: "none needed: public-domain portraits"})
	if err != nil {
		return err
	}
	for name, kind := range map[string]semblance.CollectionKind{demoFaces: semblance.Faces, demoHashes: semblance.Hashes, demoGood: semblance.KnownGood} {
		if _, err := eng.CreateCollection(ctx, who, semblance.Collection{Name: name, Kind: kind, Owner: "Demo agency", Country: "NL", Basis: "demonstration"}); err != nil {
			return err
		}
	}
	add := func(collection, name string, b []byte) error {
		f, err := fileOf(dir, name, b)
		if err != nil {
			return err
		}
		defer f.Close()
		_, _, err = eng.AddMedia(ctx, who, collection, name, f)
		return err
	}
	if err := add(demoHashes, "registered.jpg", pics["biden"]); err != nil {
		return err
	}
	if err := add(demoHashes, "wrongly-listed.png", both); err != nil {
		return err
	}
	if err := add(demoGood, "license.txt", good); err != nil {
		return err
	}
	if err := add(demoGood, "banner.png", both); err != nil {
		return err
	}
	f, err := fileOf(dir, "enrolled.jpg", pics["obama"])
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = eng.Enroll(ctx, who, semblance.EnrollRequest{Collection: demoFaces, Subject: demoSubject, Source: "enrolled.jpg", File: f})
	return err
}

// fileOf writes bytes to a file outside the device and opens it.
func fileOf(dir, name string, b []byte) (*os.File, error) {
	sub := filepath.Join(dir, "registered")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(sub, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func (e *env) demoScan(ctx context.Context, p *program, dir string, plants []plant) error {
	plan, err := p.engine.Plan(ctx, demoCase, semblance.PlanOptions{Collections: []string{demoFaces, demoHashes, demoGood}, Crops: true, Thumbnail: 256})
	if err != nil {
		return err
	}
	view := newScanView(e, e.bars())
	var speed pace
	var events []scan.Event
	o := scan.Options{Plan: plan, Actor: e.who(), Label: demoExhibit, Root: filepath.Join(dir, "device"), Lanes: p.cfg.Workers, Progress: func(p scan.Progress) { view.progress(p, speed.left(p)) },
		Event: func(ev scan.Event) { events = append(events, ev); view.event(ev) }}
	sum, err := p.scanner().Run(ctx, o)
	view.done(sum, err)
	if err != nil {
		return err
	}
	audit, err := p.store.VerifyAudit(ctx)
	if err != nil {
		return err
	}
	j := judge(plants, events)
	spec, err := semblance.EngineByName("")
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(map[string]any{"event": "demo", "planted": j.planted, "found": j.found, "missed": j.missed, "false": j.wrong, "audit": audit.OK})
	}
	for _, m := range j.missed {
		e.say("MISSED %s", m)
	}
	for _, w := range j.wrong {
		e.say("FALSE  %s", w)
	}
	e.say("\n%d planted, %d found, %d missed, %d false; counts reconcile; audit chain of %d events %s", j.planted, j.found, len(j.missed), len(j.wrong), audit.Events, wholeOr(audit.OK))
	e.say("Engine %s: %s", spec.Name, spec.Limits)
	if len(j.missed)+len(j.wrong) > 0 || !audit.OK || sum.Reconcile() != nil {
		return semblance.Errorf(semblance.Internal, "the demo did not find what was planted, and nothing else")
	}
	return nil
}

func wholeOr(ok bool) string {
	if ok {
		return "whole"
	}
	return "BROKEN"
}

// A verdict compares what was planted with what was found. Each expectation
// counts: a finding, or a status other than new.
type verdict struct {
	planted, found int
	missed, wrong  []string
}

func judge(plants []plant, events []scan.Event) verdict {
	var v verdict
	got := map[string]map[string]int{}
	for _, ev := range events {
		if ev.Event == scan.EventSummary || ev.Event == scan.EventContainer {
			continue
		}
		if got[ev.Path] == nil {
			got[ev.Path] = map[string]int{}
		}
		got[ev.Path][claim(ev)]++
	}
	known := map[string]bool{}
	for _, p := range plants {
		known[p.path] = true
		v.one(p, got[p.path])
	}
	for path := range got {
		if !known[path] {
			v.wrong = append(v.wrong, path+": nothing was planted there")
		}
	}
	return v
}

// claim says an event in one line that can be compared.
func claim(ev scan.Event) string {
	switch ev.Event {
	case scan.EventHit:
		return "hit in " + ev.Hit.Collection
	case scan.EventNearMatch:
		return "near match in " + ev.NearMatch.Collection + ", " + ev.NearMatch.Transform
	case scan.EventCandidate:
		return "candidate " + ev.Candidate.Subject
	case scan.EventContradiction:
		return "contradiction with " + ev.Contradiction.Other
	case scan.EventError:
		return "error"
	}
	return "status " + string(ev.Status)
}

func (v *verdict) one(p plant, got map[string]int) {
	want := map[string]bool{}
	add := func(on bool, s string) {
		if on {
			want[s] = true
		}
	}
	status := p.want.status
	if status == "" {
		status = string(semblance.ItemNew)
	}
	add(true, "status "+status)
	add(status == string(semblance.ItemFailed), "error")
	add(p.want.hit != "", "hit in "+p.want.hit)
	add(p.want.near != "", "near match in "+p.want.near+", "+p.want.transform)
	add(p.want.subject != "", "candidate "+p.want.subject)
	add(p.want.contradiction != "", "contradiction with "+p.want.contradiction)
	for w := range want {
		if strings.HasPrefix(w, "status new") || w == "error" {
			if got[w] == 0 {
				v.missed = append(v.missed, fmt.Sprintf("%s (%s): %s", p.path, p.what, w))
			}
			continue
		}
		v.planted++
		if got[w] == 1 {
			v.found++
		} else {
			v.missed = append(v.missed, fmt.Sprintf("%s (%s): %s", p.path, p.what, w))
		}
	}
	for g, n := range got {
		if !want[g] || n > 1 {
			v.wrong = append(v.wrong, fmt.Sprintf("%s (%s): %s", p.path, p.what, g))
		}
	}
}
