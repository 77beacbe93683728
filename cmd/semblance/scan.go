package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/scan"
)

func newScan(e *env) *cobra.Command {
	var a scanArgs
	cmd := &cobra.Command{Use: "scan PATH --case N --exhibit LABEL [--against NAME,...] | scan EXHIBIT=PATH... --case N", Short: "Scan folders and images as exhibits and compare them with collections; running it again resumes",
		Long: `Every file is hashed and looked up; pictures are decoded once, in caged workers, for
perceptual hashes and, when a faces collection is compared with, faces; of videos the
frames are hashed and compared. Archives, disk images, documents, mailboxes and databases
are opened, however deep they lie in each other: what they hold has paths such as
phone.zip//DCIM/IMG_0001.JPG. What a phone or a messenger made comes first, pictures before
videos, archives and images last. Nothing is written to PATH. Running the same scan again
skips what is recorded and unchanged.

Several exhibits, each with its label (EXHIBIT=PATH), are scanned at once: they share the
workers, and each is recorded as a scan of its own would. The exit code is the gravest of
them.

While "semblance serve" runs, each exhibit is a job that "semblance jobs" lists, pauses,
resumes and cancels.

With --json each line is an event: item, hit, near-match, candidate, contradiction,
container (one has come to its end), error, progress (every ten seconds), job (it is
paused, or goes on), and at the end summary. Of several exhibits each line says which.`,
		Args: atLeast(1, "the path to scan"), RunE: func(cmd *cobra.Command, args []string) error {
			orders, err := a.orders(e, args)
			if err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error { return e.scan(cmd.Context(), p, a, orders) })
		}}
	f := cmd.Flags()
	f.StringVar(&a.number, "case", "", "number of the case")
	f.StringVar(&a.label, "exhibit", "", "label of the exhibit, unique in the case")
	f.StringArrayVar(&a.serials, "serial", nil, "serial number of the device; of several EXHIBIT=SERIAL, repeated")
	f.StringVar(&a.acquirer, "acquirer", "", "who acquired it")
	f.StringSliceVar(&a.against, "against", nil, "collections to compare with; all of them when none is named, none of them when it is \"none\"")
	f.DurationVar(&a.order.First, "first", 0, "stop taking new files of an exhibit after this time, such as 10m; run again to go on")
	f.IntVar(&a.top, "top", semblance.DefaultTop, "candidates kept of a face")
	f.StringVar(&a.video, "video", string(semblance.VideoSeconds), "what of videos is compared: seconds (a frame a second), keyframes (many times faster, misses clips between two) or none")
	detectionFlags(cmd, &a.look)
	f.StringVar(&a.passwordFile, "passwords", "", "file with passwords, one a line, to try on what is encrypted")
	f.IntVar(&a.order.Depth, "depth", scan.DefaultDepth, "how deep containers that lie in each other are opened")
	f.Int64Var(&a.order.Expansion, "expansion", scan.DefaultExpansion, "how many times its size (and 1 GiB) what a container holds may be, before it is taken for a bomb")
	f.BoolVar(&a.verifyFirst, "verify-first", false, "read, digest and verify images and archives before looking into them, also those of a gibibyte or more, which are looked into first otherwise")
	f.IntVar(&a.order.Lanes, "lanes", 0, "files examined at once, of all exhibits; 0 is the number of workers")
	f.IntVar(&a.atOnce, "at-once", 4, "exhibits scanned at once; the others wait their turn")
	return cmd
}

// scanArgs are what scan is told.
type scanArgs struct {
	number, label, acquirer string
	serials, against        []string
	top                     int
	look                    semblance.Detection
	video, passwordFile     string
	atOnce                  int
	verifyFirst             bool
	order                   scanOrder // what holds for each exhibit
	named                   bool      // exhibits are EXHIBIT=PATH
	passwords               []string
}

// orders reads which exhibits are meant, and the passwords.
func (a *scanArgs) orders(e *env, args []string) ([]scanOrder, error) {
	if a.number == "" {
		return nil, semblance.Errorf(semblance.Invalid, "a scan belongs to a case").WithHint("Give --case NUMBER; `semblance case list` shows them.")
	}
	if a.atOnce < 1 {
		return nil, semblance.Errorf(semblance.Invalid, "--at-once is %d; at least one exhibit is scanned", a.atOnce)
	}
	if a.passwordFile != "" {
		var err error
		if a.passwords, err = passwordList(e.path(a.passwordFile)); err != nil {
			return nil, err
		}
	}
	if a.verifyFirst {
		a.order.Large = math.MaxInt64
	}
	list, err := a.exhibits(args)
	if err != nil {
		return nil, err
	}
	for i := range list {
		o := &list[i]
		label, serial, root := o.Exhibit, o.Serial, e.path(o.Root)
		*o = a.order
		o.Case, o.Acquirer, o.Exhibit, o.Serial, o.Root, o.Actor = a.number, a.acquirer, label, serial, root, e.who()
		if err := scan.Readable(root); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// exhibits pairs labels with paths and serial numbers.
func (a *scanArgs) exhibits(args []string) ([]scanOrder, error) {
	if a.label != "" {
		if len(args) > 1 {
			return nil, semblance.Errorf(semblance.Invalid, "--exhibit is the label of one exhibit, and %d paths are given", len(args)).WithHint("Give each its label, without --exhibit: EXHIBIT=PATH EXHIBIT=PATH.")
		}
		if len(a.serials) > 1 {
			return nil, semblance.Errorf(semblance.Invalid, "one exhibit has one serial number, and %d are given", len(a.serials))
		}
		return []scanOrder{{Exhibit: a.label, Root: args[0], Serial: strings.Join(a.serials, "")}}, nil
	}
	a.named = true
	serials, err := pairs("--serial", "EXHIBIT=SERIAL", a.serials)
	if err != nil {
		return nil, err
	}
	var list []scanOrder
	at := map[string]string{}
	for _, arg := range args {
		label, path, ok := strings.Cut(arg, "=")
		if !ok || label == "" || path == "" {
			return nil, semblance.Errorf(semblance.Invalid, "an exhibit needs a label; %q has none", arg).WithHint("Give --exhibit LABEL, such as the number on the evidence bag; for several write EXHIBIT=PATH EXHIBIT=PATH.")
		}
		for _, o := range list {
			if o.Exhibit == label {
				return nil, semblance.Errorf(semblance.Invalid, "the exhibit %q is named twice", label)
			}
		}
		if other, ok := at[filepath.Clean(path)]; ok {
			return nil, semblance.Errorf(semblance.Invalid, "the exhibits %q and %q have the same path", other, label)
		}
		at[filepath.Clean(path)] = label
		list = append(list, scanOrder{Exhibit: label, Root: path, Serial: serials[label]})
		delete(serials, label)
	}
	for label := range serials {
		return nil, semblance.Errorf(semblance.Invalid, "--serial names the exhibit %q, which is not scanned", label)
	}
	return list, nil
}

// pairs reads NAME=VALUE arguments of a flag.
func pairs(flag, form string, args []string) (map[string]string, error) {
	out := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if _, twice := out[name]; !ok || name == "" || twice {
			return nil, semblance.Errorf(semblance.Invalid, "%s %q is not usable", flag, arg).WithHint("Write %s %s, once for each exhibit.", flag, form)
		}
		out[name] = value
	}
	return out, nil
}

// passwordList reads passwords, one a line, as they are but for the end of the line.
func passwordList(path string) (list []string, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "the passwords cannot be read from %q", path).WithHint("Give a text file with one password a line.").WithCause(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			list = append(list, line)
		}
	}
	if len(list) == 0 {
		return nil, semblance.Errorf(semblance.Invalid, "there is no password in %q", path).WithHint("Give a text file with one password a line.")
	}
	const most = 1000 // each is tried on every encrypted thing, and they travel in one request
	if len(list) > most {
		return nil, semblance.Errorf(semblance.Invalid, "%q holds %d passwords; at most %d are tried", path, len(list), most)
	}
	return list, nil
}

// scan plans and runs the scans of one command.
func (e *env) scan(ctx context.Context, p *program, a scanArgs, orders []scanOrder) error {
	po := semblance.PlanOptions{Collections: list(a.against), Top: a.top, Crops: true, Thumbnail: 256, Detection: a.look, Video: semblance.VideoMode(a.video)}
	cols, err := p.engine.Collections.Collections(ctx)
	if err != nil {
		return err
	}
	switch {
	case len(cols) == 0 && len(po.Collections) == 0:
		po.Inventory = true
		e.warn("there is no collection: files are recorded and hashed, and compared with nothing; scan again when there is one, which is quick")
	case slices.Equal(po.Collections, []string{"none"}) && !slices.ContainsFunc(cols, func(c semblance.Collection) bool { return c.Name == "none" }):
		po.Inventory, po.Collections = true, nil
	case len(po.Collections) == 0:
		for _, c := range cols {
			po.Collections = append(po.Collections, c.Name)
		}
	}
	plan, err := p.engine.Plan(ctx, a.number, po)
	if err != nil {
		return err
	}
	for _, w := range plan.Warnings {
		e.warn("%s", w)
	}
	for i := range orders {
		orders[i].Against = po
		if orders[i].Lanes == 0 {
			orders[i].Lanes = p.cfg.Workers
		}
	}
	if !a.named {
		return e.scanOne(ctx, p, orders[0], plan, a.passwords)
	}
	return e.scanSeveral(ctx, p, orders, plan, a)
}

// scanOne runs and prints the scan of one exhibit.
func (e *env) scanOne(ctx context.Context, p *program, o scanOrder, plan *semblance.Plan, passwords []string) error {
	run, err := p.jobs.takeScan(ctx, o, plan, passwords)
	if err != nil {
		return err
	}
	view := newScanView(e, e.bars())
	sum, err := view.run(ctx, run, atOnce)
	view.done(sum, err)
	e.warnNothing(sum, o)
	return scanError(sum, err)
}

// warnNothing says that an exhibit is empty, to those who read --json too.
func (e *env) warnNothing(sum scan.Summary, o scanOrder) {
	if nothing(sum) {
		e.warn("there is nothing in %q, which is exhibit %s: is what should lie there mounted?", o.Root, o.Exhibit)
	}
}

func scanError(sum scan.Summary, err error) error {
	if err == nil && (sum.Failed > 0 || nothing(sum)) {
		return errSomeFailed
	}
	return err
}

// A turnstile lets so many pass at once, in the order in which they came.
type turnstile struct {
	free chan struct{}
	last chan struct{} // closed when who came last has passed, or given up
}

func newTurnstile(most int) *turnstile {
	t := &turnstile{free: make(chan struct{}, most), last: make(chan struct{})}
	close(t.last)
	return t
}

// come returns what waits for the turn of who comes now.
func (t *turnstile) come() func(context.Context) (func(), error) {
	before, last := t.last, make(chan struct{})
	t.last = last
	passed := sync.OnceFunc(func() { close(last) })
	return func(ctx context.Context) (func(), error) {
		defer passed()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case t.free <- struct{}{}:
			return func() { <-t.free }, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// An exhibitScan is one of several.
type exhibitScan struct {
	view *scanView
	run  *scanRun
	sum  scan.Summary
	err  error
}

// scanSeveral scans several exhibits at once, and prints them one after the other at the
// end. What fails with one is no matter of the others.
func (e *env) scanSeveral(ctx context.Context, p *program, orders []scanOrder, plan *semblance.Plan, a scanArgs) error {
	bars, gate := e.bars(), newTurnstile(a.atOnce)
	scans := make([]exhibitScan, len(orders))
	for i, o := range orders { // all of them are jobs before the first begins
		s := &scans[i]
		s.view = newNamedView(e, bars, o.Exhibit)
		s.run, s.err = p.jobs.takeScan(ctx, o, plan, a.passwords)
	}
	var all sync.WaitGroup
	for i := range scans {
		s := &scans[i]
		if s.run == nil {
			s.view.stop()
			continue
		}
		turn := gate.come()
		all.Go(func() {
			s.sum, s.err = s.view.run(ctx, s.run, turn)
			s.view.ended(s.sum, s.err)
		})
	}
	all.Wait()
	if bars != nil {
		bars.Wait()
	}
	for i := range scans {
		e.warnNothing(scans[i].sum, orders[i])
	}
	return e.tellSeveral(ctx, scans)
}

// tellSeveral prints what became of several exhibits. The error has the gravest exit code.
func (e *env) tellSeveral(ctx context.Context, scans []exhibitScan) error {
	worst := error(nil)
	for i := range scans {
		s := &scans[i]
		if !e.json && s.sum.Case != "" {
			s.view.print(s.sum)
		}
		err := scanError(s.sum, s.err)
		if s.err != nil && (ctx.Err() == nil || semblance.CodeOf(s.err) != semblance.Canceled) { // an interrupt of all is told once
			err = s.view.failed(s.err)
		}
		if graver(err, worst) {
			worst = err
		}
	}
	return worst
}

// graver orders what ends the scans of several exhibits: failed, interrupted, some items
// failed.
func graver(a, b error) bool {
	rank := func(err error) int {
		var told errTold
		switch {
		case err == nil:
			return 0
		case errors.Is(err, errSomeFailed):
			return 1
		case semblance.CodeOf(err) == semblance.Canceled, errors.As(err, &told) && told == exitInterrupted:
			return 2
		}
		return 3
	}
	return rank(a) > rank(b)
}
