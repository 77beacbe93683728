package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"semblance"
	"semblance/worker/cage"
)

// A Report is what works on this machine, found out by trying.
type Report struct {
	Facts    Facts          `json:"facts"`
	Start    time.Duration  `json:"start"`    // from nothing to a closed cage
	Resident int64          `json:"resident"` // bytes of a child that has done nothing yet
	Cage     []cage.Finding `json:"cage"`     // the layers, then what was tried against them
	Engines  []EngineReport `json:"engines"`
	Video    EngineReport   `json:"video"` // whether videos can be decoded
	Disks    EngineReport   `json:"disks"` // whether disk images can be read
}

// VideoCheck is the name by which a child is asked to load what decodes videos.
const VideoCheck semblance.EngineName = "ffmpeg"

// DiskCheck is the name by which a child is asked to load what reads disk images.
const DiskCheck semblance.EngineName = "sleuthkit"

// An EngineReport says whether an engine works, and why it does not.
type EngineReport struct {
	Name     semblance.EngineName `json:"name"`
	Works    bool                 `json:"works"`
	Why      string               `json:"why,omitempty"`
	Hint     string               `json:"hint,omitempty"`
	Check    EngineCheck          `json:"check"`
	Resident int64                `json:"resident,omitempty"` // bytes of the child after it was opened
}

// Caged reports whether everything that was tried was refused and every layer is
// there.
func (r *Report) Caged() bool {
	for _, f := range r.Cage {
		if !f.Holds {
			return false
		}
	}
	return len(r.Cage) > 0
}

// Report starts a child of its own, tries to break out of its cage, and opens
// every engine. Listeners and files that it needs as targets are on the loopback
// and in a temporary folder, and gone afterwards. The error has code Unavailable
// when no child comes up, or is ctx's.
func (p *Pool) Report(ctx context.Context) (Report, error) {
	start := time.Now()
	c, err := p.fresh(ctx)
	if err != nil {
		return Report{}, err
	}
	defer func() { p.forget(c); c.close() }()
	r := Report{Facts: c.facts, Start: time.Since(start), Resident: residentBytes(c.cmd.Process.Pid), Cage: c.layers(p.opts.Limits.Memory)}
	t, release, err := targets()
	if err != nil {
		return Report{}, semblance.Errorf(semblance.Internal, "the targets for trying a worker's cage cannot be made").WithCause(err)
	}
	defer release()
	answer, err := c.ask(ctx, request{Probe: &t}, nil, terms{deadline: time.Minute, budget: budget{bytes: 64 << 10, objects: 1024, values: 4096}})
	if err != nil {
		return Report{}, unfit(err)
	}
	r.Cage = append(r.Cage, tidyFindings(answer.Findings)...)
	for _, spec := range p.opts.known.All() {
		e, err := p.checkEngine(ctx, spec.Name)
		if err != nil {
			return Report{}, err
		}
		r.Engines = append(r.Engines, e)
	}
	if r.Video, err = p.checkEngine(ctx, VideoCheck); err != nil {
		return Report{}, err
	}
	r.Disks, err = p.checkEngine(ctx, DiskCheck)
	return r, err
}

// layers says what holds, by the kernel's word where it has one.
func (c *child) layers(memory int64) []cage.Finding {
	a := c.facts.Cage
	threads, known := readThreads(c.cmd.Process.Pid)
	every := func(f func(threadState) bool) bool {
		for _, t := range threads {
			if !f(t) {
				return false
			}
		}
		return known
	}
	on := fmt.Sprintf("on all of %d threads", len(threads))
	limit, limited := dataLimit(c.cmd.Process.Pid)
	return []cage.Finding{
		layer("layer: Landlock", a.Landlock > 0, fmt.Sprintf("ABI %d", a.Landlock), a.LandlockWhy),
		layer("layer: seccomp", every(func(t threadState) bool { return t.seccomp == "2" }), on, a.SeccompWhy),
		layer("layer: no new privileges", every(func(t threadState) bool { return t.noNewPrivs == "1" }), on, "not set"),
		layer("layer: no capabilities", every(func(t threadState) bool { return strings.Trim(t.caps, "0") == "" }), on, a.CapsWhy),
		layer("layer: memory limit", limited && limit <= memory, megabytes(limit)+" of data", a.LimitsWhy),
	}
}

func layer(name string, holds bool, how, why string) cage.Finding {
	if holds {
		return cage.Finding{Name: name, Holds: true, Detail: how}
	}
	if why == "" {
		why = "the kernel does not confirm it"
	}
	return cage.Finding{Name: name, Detail: clean(why, maxText)}
}

func tidyFindings(found []cage.Finding) []cage.Finding {
	for i := range found {
		found[i].Name, found[i].Detail = clean(found[i].Name, maxText), clean(found[i].Detail, maxText)
	}
	return found
}

// checkEngine opens an engine in a child of its own: one that crashes must not
// take the others' answers with it.
func (p *Pool) checkEngine(ctx context.Context, name semblance.EngineName) (EngineReport, error) {
	e := EngineReport{Name: name}
	c, err := p.fresh(ctx)
	if err != nil {
		return e, err
	}
	defer func() { p.forget(c); c.close() }()
	r, err := c.ask(ctx, request{Check: name}, nil, terms{deadline: time.Minute, budget: budget{bytes: 64 << 10, objects: 64, values: 1024}})
	switch {
	case ctx.Err() != nil:
		return e, ctx.Err()
	case err != nil:
		err = unfit(err)
	case r.Error != nil:
		err = checkRemote(r.Error)
	case r.Engine == nil:
		err = violate("no engine")
	default:
		err = checkModels(r.Engine.Models, p.opts.Models)
	}
	if err != nil {
		e.Why, e.Hint = err.Error(), semblance.HintOf(err)
		return e, nil
	}
	e.Works, e.Check, e.Resident = true, *r.Engine, residentBytes(c.cmd.Process.Pid)
	return e, nil
}

// unfit is the end of a child that was only asked about itself.
func unfit(err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	how := f.how
	if how == "" {
		how = f.public().Msg
	}
	return semblance.Errorf(semblance.Unavailable, "the worker ended when it was tried (%s)", how).WithCause(f.private())
}

// targets makes what a child must not reach.
func targets() (t cage.Targets, release func(), err error) {
	var closers []func()
	release = func() {
		for _, f := range closers {
			f()
		}
	}
	dir, err := os.MkdirTemp("", "semblance-cage-")
	if err != nil {
		return t, release, err
	}
	closers = append(closers, func() { os.RemoveAll(dir) })
	t = cage.Targets{File: filepath.Join(dir, "secret"), Dir: dir, Unix: filepath.Join(dir, "socket"), Parent: os.Getpid()}
	if err := os.WriteFile(t.File, []byte("secret"), 0o600); err != nil {
		release()
		return t, release, err
	}
	listen := func(network, address string) string {
		l, err := net.Listen(network, address)
		if err != nil {
			return "" // no such sockets here: nothing to try
		}
		closers = append(closers, func() { l.Close() })
		return l.Addr().String()
	}
	t.TCP, t.Unix = listen("tcp", "127.0.0.1:0"), listen("unix", t.Unix)
	t.Abstract = listen("unix", fmt.Sprintf("@semblance-cage-%d-%d", os.Getpid(), time.Now().UnixNano()))
	return t, release, nil
}
