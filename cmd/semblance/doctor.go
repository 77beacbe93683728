package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/index"
	"semblance/index/frames"
	"semblance/models"
	"semblance/store"
	"semblance/worker"
)

// A diagnosis is one thing doctor looked at.
type diagnosis struct {
	Area string `json:"area"` // "engine", "model", "provider", "cage", "store", "worker", "video", "disk"
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Need bool   `json:"needed"` // the main job does not work, or not safely, without it
	Says string `json:"says"`
	Mend string `json:"mend,omitempty"`
	// Optional is what nobody has installed and nothing here needs: no fault.
	Optional bool `json:"optional,omitempty"`
}

func newDoctor(e *env) *cobra.Command {
	return &cobra.Command{Use: "doctor", Short: "Say what works here: engines, weights, providers, store, index, workers and their cage; exit 1 with the mend when not", Args: none,
		Long: `Each thing is found out by trying. A caged worker really tries to open sockets, write,
read elsewhere, execute and signal; targets are on the loopback and in a temporary
folder. Nothing stored is changed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := e.diagnose(cmd.Context())
			return e.printDiagnoses(d)
		}}
}

func (e *env) diagnose(ctx context.Context) []diagnosis {
	var out []diagnosis
	used := map[string]bool{string(semblance.DefaultEngine): true}
	list, missing := e.diagnoseModels(ctx)
	out = append(out, list...)
	out = append(out, e.diagnoseBundles()...)
	out = append(out, e.diagnoseWorker(ctx)...)
	out = append(out, e.diagnoseProviders(ctx)...)
	out = append(out, e.diagnoseStore(ctx, used), e.diagnoseIndex(ctx), e.diagnoseFiles("hashes", "hashes", index.CheckHashes), e.diagnoseFiles("videos", "frames", frames.Check))
	optional(out, missing, used)
	return out
}

func bad(area, name string, need bool, err error) diagnosis {
	return diagnosis{Area: area, Name: name, Need: need, Says: message(err), Mend: semblance.HintOf(err)}
}

// diagnoseModels also returns which models are not here, and which engines lack them, by
// area and name with the engines that want them.
func (e *env) diagnoseModels(ctx context.Context) (out []diagnosis, missing map[string][]string) {
	missing = map[string][]string{}
	lib, err := openModels(e.cfg)
	if err != nil {
		return []diagnosis{bad("model", "library", true, err)}, missing
	}
	list, err := lib.List(ctx)
	if err != nil {
		return []diagnosis{bad("model", "library", true, err)}, missing
	}
	for _, s := range list {
		d := diagnosis{Area: "model", Name: s.Name, OK: s.State == models.Present, Says: string(s.State)}
		if s.Err != nil {
			d.Says, d.Mend = s.Err.Error(), semblance.HintOf(s.Err)
			d.Need = s.State == models.Altered
		}
		if s.State == models.Missing {
			missing["model "+s.Name] = s.Engines
			for _, engine := range s.Engines {
				missing["engine "+engine] = []string{engine}
			}
		}
		if len(s.Engines) > 0 {
			d.Says += " (for " + strings.Join(s.Engines, ", ") + ")"
		}
		out = append(out, d)
	}
	return out, missing
}

// diagnoseBundles says which own engines are not usable at all; those that are, a
// worker tries.
func (e *env) diagnoseBundles() []diagnosis {
	lib, err := openModels(e.cfg)
	if err != nil {
		return nil // diagnoseModels said so
	}
	var out []diagnosis
	for _, o := range semblance.NewEngineSet(lib.OwnEngines()...).Unusable() {
		out = append(out, bad("engine", string(o.Spec.Name), false, o.Err))
	}
	return out
}

func (e *env) diagnoseWorker(ctx context.Context) []diagnosis {
	dec := newDecoder(e.cfg)
	defer dec.Close()
	pool, err := dec.open(ctx)
	if err != nil {
		return []diagnosis{bad("worker", "semblance-worker", true, err)}
	}
	r, err := pool.Report(ctx)
	if err != nil {
		return []diagnosis{bad("worker", "semblance-worker", true, err)}
	}
	out := []diagnosis{{Area: "worker", Name: "semblance-worker", OK: true,
		Says: fmt.Sprintf("version %s, up in %d ms, %s resident, CPU class %s", r.Facts.Program, r.Start.Milliseconds(), size(r.Resident), r.Facts.CPU)}}
	for _, m := range []map[string]string{r.Facts.Libraries, r.Facts.Build} {
		for _, k := range sortedKeys(m) {
			out = append(out, diagnosis{Area: "worker", Name: k, OK: true, Says: m[k]})
		}
	}
	for _, c := range r.Cage {
		d := diagnosis{Area: "cage", Name: c.Name, OK: c.Holds, Need: true, Says: c.Detail}
		if !c.Holds {
			d.Mend = "Run on a kernel with Landlock (ABI 4 or later, lsm=landlock) and seccomp; until then treat the decoders as unprotected."
		}
		out = append(out, d)
	}
	for _, x := range r.Engines {
		out = append(out, diagnoseEngine(x))
	}
	video := diagnosis{Area: "video", Name: string(r.Video.Name), OK: r.Video.Works, Says: r.Video.Why, Mend: r.Video.Hint}
	if r.Video.Works {
		video.Says = fmt.Sprintf("FFmpeg's libraries load in the cage, in %.0f ms, %s resident", r.Video.Check.Millis, size(r.Video.Resident))
	}
	disks := diagnosis{Area: "disk", Name: string(r.Disks.Name), OK: r.Disks.Works, Says: r.Disks.Why, Mend: r.Disks.Hint}
	if r.Disks.Works {
		disks.Says = fmt.Sprintf("The Sleuth Kit's library loads in the cage, in %.0f ms, %s resident", r.Disks.Check.Millis, size(r.Disks.Resident))
	}
	return append(out, video, disks)
}

// optional marks what is not installed and only engines want that nothing here was made with.
func optional(list []diagnosis, missing map[string][]string, used map[string]bool) {
	works := map[string]bool{}
	for _, d := range list {
		works[d.Name] = works[d.Name] || d.Area == "engine" && d.OK
	}
	for i := range list {
		d := &list[i]
		engines := missing[d.Area+" "+d.Name]
		if d.OK || d.Need || len(engines) == 0 || slices.ContainsFunc(engines, func(e string) bool { return used[e] && !works[e] }) {
			continue
		}
		d.Optional, d.Says = true, "not installed; only to make what is there, or for who wants "+strings.Join(engines, " or ")
		if d.Area == "engine" {
			d.Says, d.Mend = "optional, not installed", "" // that is with its model
		}
	}
}

func diagnoseEngine(x worker.EngineReport) diagnosis {
	d := diagnosis{Area: "engine", Name: string(x.Name), OK: x.Works, Need: x.Name == semblance.DefaultEngine}
	if x.Works {
		d.Says = fmt.Sprintf("works, opened and checked in %.0f ms, %s resident", x.Check.Millis, size(x.Resident))
		return d
	}
	d.Says, d.Mend = x.Why, x.Hint
	if d.Mend == "" {
		d.Mend = fmt.Sprintf("`semblance models pull %s` fetches what it needs.", x.Name)
	}
	return d
}

// diagnoseStore also notes the engines that collections were made with, where it can ask.
func (e *env) diagnoseStore(ctx context.Context, used map[string]bool) diagnosis {
	note := func(s *store.Store) error {
		list, err := s.Collections(ctx)
		for _, c := range list {
			used[string(c.Engine)] = true
		}
		return err
	}
	d := diagnosis{Area: "store", Name: e.cfg.Data, Need: true}
	if _, err := os.Stat(e.cfg.Data); errors.Is(err, os.ErrNotExist) {
		d.OK, d.Says = true, "not made yet; the first command that stores something makes it"
		return d
	}
	if e.shared != nil {
		if err := note(e.shared.store); err != nil {
			return bad("store", e.cfg.Data, true, err)
		}
		d.OK, d.Says = true, "open in the server that answers this"
		return d
	}
	if conn, err := dialServer(filepath.Join(e.cfg.Data, socketName)); err == nil && conn != nil {
		conn.Close()
		d.OK, d.Says = true, "a running server has it open"
		return d
	}
	s, err := store.Open(ctx, e.cfg.Data, store.DefaultOptions())
	if err != nil {
		return bad("store", e.cfg.Data, true, err)
	}
	defer s.Close()
	if err := s.Check(ctx); err != nil {
		return bad("store", e.cfg.Data, true, err)
	}
	if err := note(s); err != nil {
		return bad("store", e.cfg.Data, true, err)
	}
	r, err := s.VerifyAudit(ctx)
	switch {
	case err != nil:
		return bad("store", e.cfg.Data, true, err)
	case !r.OK:
		d.Says, d.Mend = fmt.Sprintf("the audit chain is broken at event %d: %s", r.BrokenAt, r.Why), "Keep the folder as it is, and compare it with a backup."
		return d
	}
	d.OK, d.Says = true, fmt.Sprintf("whole, audit chain of %s verified", count(r.Events, "event", "events"))
	return d
}

func (e *env) diagnoseIndex(ctx context.Context) diagnosis {
	if e.cfg.Index == "flat" { // its files are its owner's, who may be running
		return diagnosis{Area: "index", Name: e.cfg.Index, OK: true, Need: true, Says: "in the data folder; damaged files are made again by themselves"}
	}
	v, err := openVectors(ctx, e.cfg, nil, e.note)
	if err == nil {
		_, err = v.Version(ctx, semblance.Engines()[0], "doctor")
	}
	if c, ok := v.(interface{ Close() error }); ok {
		defer c.Close()
	}
	if err != nil {
		return bad("index", e.cfg.Index, true, err)
	}
	return diagnosis{Area: "index", Name: e.cfg.Index, OK: true, Need: true, Says: "answers"}
}

// diagnoseFiles reads the files of an index of hashes or videos. That they are damaged, or
// changed meanwhile, stops nothing.
func (e *env) diagnoseFiles(name, folder string, check func(path string) (int64, error)) diagnosis {
	d := diagnosis{Area: "index", Name: name}
	entries, err := check(filepath.Join(e.cfg.Data, "index", folder))
	if err != nil {
		d.Says, d.Mend = fmt.Sprintf("its files are damaged, or were changed while they were read: %v", err), "Nothing has to be done: they are made again from the store at the next use. When it happens more than once, look after the disk."
		return d
	}
	d.OK, d.Says = true, fmt.Sprintf("whole, %s in the data folder", count(entries, "entry", "entries"))
	return d
}

// what a mend is for.
func what(d diagnosis) string {
	if d.Optional {
		return "optional: " + d.Area + " " + d.Name
	}
	return "to mend: " + d.Area + " " + d.Name
}

// printDiagnoses prints them and fails when something needed is not there.
func (e *env) printDiagnoses(list []diagnosis) error {
	t, failed := newTable("", "AREA", "NAME", "FOUND"), false
	var mends []string
	for _, d := range list {
		failed = failed || d.Need && !d.OK
		if e.json {
			if err := e.emit(d); err != nil {
				return err
			}
			continue
		}
		mark := "ok"
		switch {
		case !d.OK && d.Need:
			mark = "FAIL"
		case !d.OK:
			mark = "-"
		}
		if !d.OK && d.Mend != "" {
			mends = append(mends, what(d)+": "+d.Mend)
		}
		t.row(mark, d.Area, d.Name, d.Says)
	}
	if !e.json {
		t.print(e.out)
		for _, m := range mends {
			e.say("%s", printable(m))
		}
	}
	if failed {
		return errReported
	}
	return nil
}
