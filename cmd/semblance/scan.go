package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"semblance"
	"semblance/scan"
	"semblance/store"
)

func newScan(e *env) *cobra.Command {
	var number string
	var against []string
	var o scan.Options
	var top int
	var look semblance.Detection
	var video, passwords string
	cmd := &cobra.Command{Use: "scan PATH --case N --exhibit LABEL [--against NAME,...]", Short: "Scan a folder as an exhibit and compare it with collections; running it again resumes",
		Long: `Every file is hashed and looked up; pictures are decoded once, in caged workers, for
perceptual hashes and, when a faces collection is compared with, faces; of videos the
frames are hashed and compared. Archives, disk images, documents, mailboxes and databases
are opened, however deep they lie in each other: what they hold has paths such as
phone.zip//DCIM/IMG_0001.JPG. What a phone or a messenger made comes first, pictures before
videos, archives and images last. Nothing is written to PATH. Running the same scan again
skips what is recorded and unchanged.

With --json each line is an event: item, hit, near-match, candidate, contradiction,
container (one has come to its end), error, and at the end summary.`,
		Args: exactly(1, "the path to scan"), RunE: func(cmd *cobra.Command, args []string) error {
			o.Root = e.path(args[0])
			if passwords != "" {
				var err error
				if o.Passwords, err = passwordList(e.path(passwords)); err != nil {
					return err
				}
			}
			return e.stored(cmd.Context(), func(p *program) error {
				return e.scan(cmd.Context(), p, number, semblance.PlanOptions{Collections: list(against), Top: top, Crops: true, Thumbnail: 256, Detection: look, Video: semblance.VideoMode(video)}, o)
			})
		}}
	f := cmd.Flags()
	f.StringVar(&number, "case", "", "number of the case")
	f.StringVar(&o.Label, "exhibit", "", "label of the exhibit, unique in the case")
	f.StringVar(&o.Serial, "serial", "", "serial number of the device")
	f.StringVar(&o.Acquirer, "acquirer", "", "who acquired it")
	f.StringSliceVar(&against, "against", nil, "collections to compare with; all of them when none is named")
	f.DurationVar(&o.First, "first", 0, "stop taking new files after this time, such as 10m; run again to go on")
	f.IntVar(&top, "top", semblance.DefaultTop, "candidates kept of a face")
	f.StringVar(&video, "video", string(semblance.VideoSeconds), "what of videos is compared: seconds (a frame a second), keyframes (many times faster, misses clips between two) or none")
	detectionFlags(cmd, &look)
	f.StringVar(&passwords, "passwords", "", "file with passwords, one a line, to try on what is encrypted")
	f.IntVar(&o.Depth, "depth", scan.DefaultDepth, "how deep containers that lie in each other are opened")
	f.Int64Var(&o.Expansion, "expansion", scan.DefaultExpansion, "how many times its size (and 1 GiB) what a container holds may be, before it is taken for a bomb")
	f.IntVar(&o.Lanes, "lanes", 0, "files examined at once; 0 is the number of workers")
	return cmd
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

func (e *env) scan(ctx context.Context, p *program, number string, po semblance.PlanOptions, o scan.Options) error {
	if number == "" {
		return semblance.Errorf(semblance.Invalid, "a scan belongs to a case").WithHint("Give --case NUMBER; `semblance case list` shows them.")
	}
	if len(po.Collections) == 0 {
		cols, err := p.engine.Collections.Collections(ctx)
		if err != nil {
			return err
		}
		for _, c := range cols {
			po.Collections = append(po.Collections, c.Name)
		}
	}
	plan, err := p.engine.Plan(ctx, number, po)
	if err != nil {
		return err
	}
	for _, w := range plan.Warnings {
		e.warn("%s", w)
	}
	o.Plan, o.Actor = plan, e.who()
	if o.Lanes == 0 {
		o.Lanes = p.cfg.Workers
	}
	return e.runScan(ctx, p, o)
}

// runScan runs and prints a scan.
func (e *env) runScan(ctx context.Context, p *program, o scan.Options) error {
	view := newScanView(e)
	o.Event, o.Progress = view.event, view.progress
	sum, err := p.scanner().Run(ctx, o)
	if err == nil && sum.Unchanged > 0 && !e.json {
		// What earlier runs found was not told in this one, and a person wants the whole.
		if view.findings, err = p.recorded(ctx, o.Plan.Case.ID, o.Label); err != nil {
			return err
		}
	}
	view.done(sum, err)
	switch {
	case err != nil:
		return err
	case sum.Failed > 0:
		return errSomeFailed
	}
	return nil
}

// mostRecorded is how many files with findings a second run lists; the report has all.
const mostRecorded = 1000

// recorded are the findings of a whole exhibit as events.
func (p *program) recorded(ctx context.Context, id semblance.CaseID, exhibit string) ([]scan.Event, error) {
	rows, err := p.store.FindingRows(ctx, id, store.FindingFilter{Exhibit: exhibit, Limit: mostRecorded})
	if err != nil {
		return nil, err
	}
	var out []scan.Event
	for _, r := range rows {
		out = append(out, scan.Findings(r.Path, r.Media, &r.Findings)...)
	}
	return out, nil
}

// A scanView shows a scan to a person, or as NDJSON to a program.
type scanView struct {
	e         *env
	progressC *mpb.Progress
	bar       *mpb.Bar
	last      time.Time
	failures  []scan.Event
	findings  []scan.Event
	partial   []scan.Event
	notes     []scan.Event // of containers
	unlisted  int          // events beyond those kept
	told      int          // findings, as they came

	unsupported map[string]int // by reason
	faceless    int            // pictures of this run in which no face was found
}

func newScanView(e *env) *scanView {
	v := &scanView{e: e}
	if e.quiet || e.json || !terminal(e.err) {
		return v
	}
	v.progressC = mpb.New(mpb.WithOutput(e.err), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
	v.bar = v.progressC.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersNoUnit("%d of %d files ")),
		mpb.AppendDecorators(decor.EwmaSpeed(0, " %.0f a second", 30), decor.Name("  "), decor.EwmaETA(decor.ET_STYLE_GO, 30), decor.Name(" left")))
	return v
}

func (v *scanView) event(ev scan.Event) {
	if v.e.json {
		_ = v.e.emit(ev) // a reader that left does not stop the scan
		return
	}
	switch ev.Event {
	case scan.EventHit, scan.EventNearMatch, scan.EventCandidate, scan.EventContradiction:
		v.findings = v.keep(v.findings, ev)
		v.early(ev)
	case scan.EventError:
		v.failures = v.keep(v.failures, ev)
	case scan.EventContainer:
		if len(ev.Opened.Notes) > 0 {
			v.notes = v.keep(v.notes, ev)
		}
	case scan.EventItem:
		v.item(ev)
	}
}

// keep remembers an event to be listed at the end: so many that a person can read them.
func (v *scanView) keep(list []scan.Event, ev scan.Event) []scan.Event {
	if len(list) < mostRecorded {
		return append(list, ev)
	}
	v.unlisted++
	return list
}

// mostEarly is how many findings are told at once, before the scan has ended.
const mostEarly = 20

// early tells the first findings when they are stored: a scan can take days.
func (v *scanView) early(ev scan.Event) {
	if v.told++; v.told > mostEarly || v.e.quiet || ev.Event == scan.EventContradiction {
		return
	}
	line := string(ev.Event) + ": " + printable(ev.Path)
	switch {
	case ev.Hit != nil:
		line += " in " + printable(ev.Hit.Collection)
	case ev.NearMatch != nil:
		line += " near " + printable(ev.NearMatch.Collection)
	case ev.Candidate != nil:
		line += " of " + printable(ev.Candidate.Collection) + " (a lead, not an identification)"
	}
	if v.told == mostEarly {
		line += "; further ones are listed at the end"
	}
	if v.progressC != nil {
		_, _ = fmt.Fprintln(v.progressC, line)
		return
	}
	v.e.note("%s", line)
}

// item remembers what was not wholly examined: a person must not take silence about
// it for an answer.
func (v *scanView) item(ev scan.Event) {
	switch {
	case ev.Status == semblance.ItemUnsupported:
		if v.unsupported == nil {
			v.unsupported = map[string]int{}
		}
		v.unsupported[ev.Reason]++
	case ev.Partial != "":
		v.partial = v.keep(v.partial, ev)
	}
	if ev.Faces != nil && *ev.Faces == 0 {
		v.faceless++
	}
}

func (v *scanView) progress(p scan.Progress) {
	now := time.Now()
	switch {
	case v.bar != nil:
		v.bar.SetTotal(max(p.TotalItems, p.Items+1), false)
		v.bar.EwmaSetCurrent(p.Items, now.Sub(v.since(now)))
		v.last = now
	case !v.e.json && !v.e.quiet && now.Sub(v.since(now)) > 10*time.Second:
		v.last = now
		v.e.note("%s of %s files, %s, %d findings", thousands(p.Items), thousands(p.TotalItems), size(p.Bytes), p.Findings)
	}
}

// since is when progress was last shown.
func (v *scanView) since(now time.Time) time.Time {
	if v.last.IsZero() {
		v.last = now.Add(-time.Millisecond)
	}
	return v.last
}

func (v *scanView) done(sum scan.Summary, err error) {
	if v.bar != nil {
		v.bar.Abort(true)
		v.progressC.Wait()
	}
	if v.e.json || err != nil && sum.Case == "" {
		return
	}
	v.print(sum)
}

// bySelector says which selector a hit rests on and where it is. How the file writes it,
// the report has.
func bySelector(h *semblance.Hit) string {
	by := h.Kind() + " " + h.Value + " at " + h.Place
	if h.Count > 1 {
		by += fmt.Sprintf(", %d times", h.Count)
	}
	return by
}

// print shows what was found, then the counts.
func (v *scanView) print(s scan.Summary) {
	e := v.e
	listed := semblance.FirstOfFloods(s.Floods)
	v.section("Hits (a digest or a selector is in a collection)", scan.EventHit, []string{"FILE", "COLLECTION", "BY", "NOTE"}, func(t *table, x scan.Event) {
		if x.Hit.Kind() != "digest" && !listed(x.Hit.Collection, x.Hit.Entry) {
			return
		}
		by := string(x.Hit.Algorithm)
		switch {
		case x.Hit.Kind() != "digest":
			by = bySelector(x.Hit)
		case x.Hit.Weak:
			by += " only: weak"
		}
		t.row(x.Path, x.Hit.Collection, by, categorized(x.Hit.Category, note(x.Hit.Note, x.Hit.Source)))
	})
	v.section("Near matches (a person has to verify them)", scan.EventNearMatch, []string{"FILE", "COLLECTION", "DISTANCE", "TRANSFORM", "QUALITY", "OF"}, func(t *table, x scan.Event) {
		n := x.NearMatch
		if !listed(n.Collection, n.Entry) {
			return
		}
		t.row(x.Path, n.Collection, fmt.Sprintf("%d of %d (%s)", n.Distance, n.Threshold, shortName(string(n.Algorithm))), n.Transform, qualities(n), where(n)+categorized(n.Category, note(n.Note, n.Source)))
	})
	if len(s.Floods) > 0 {
		e.say("\nFloods: of each entry only the first near match or hit of a selector is listed here, the report has all")
		for _, f := range s.Floods {
			e.say("  %s", printable(f.String()))
		}
	}
	v.section("Candidates (leads for an examiner, not identifications)", scan.EventCandidate, []string{"FILE", "FACE", "QUALITY", "RANK", "SUBJECT", "COLLECTION", "DISTANCE", "THRESHOLD", "BAND"}, func(t *table, x scan.Event) {
		c := x.Candidate
		t.row(x.Path, whichFace(c), fmt.Sprintf("%.0f", c.Quality), c.Rank, c.Subject, c.Collection, fmt.Sprintf("%.4f", c.Distance), fmt.Sprintf("%.4f", c.Threshold), c.Band)
	})
	v.section("Contradictions (a person has to decide)", scan.EventContradiction, []string{"FILE", "KNOWN-GOOD IN", "BUT ALSO IN", "AS"}, func(t *table, x scan.Event) {
		t.row(x.Path, x.Contradiction.KnownGood, x.Contradiction.Other, x.Contradiction.Because)
	})
	if len(v.notes) > 0 {
		e.say("\nContainers")
		t := newTable("FILE", "NOTE")
		for _, x := range v.notes {
			for _, n := range x.Opened.Notes {
				t.row(x.Path, n)
			}
		}
		t.print(e.out)
	}
	if len(v.failures) > 0 {
		e.say("\nFailed")
		t := newTable("FILE", "WHY")
		for _, x := range v.failures {
			t.row(x.Path, x.Reason)
		}
		t.print(e.out)
	}
	if len(v.partial) > 0 {
		e.say("\nDecoded only in part: the rest was not compared")
		t := newTable("FILE", "WHY")
		for _, x := range v.partial {
			t.row(x.Path, x.Partial)
		}
		t.print(e.out)
	}
	if v.unlisted > 0 {
		e.say("\n%s more are not listed here; the report has them", thousands(int64(v.unlisted)))
	}
	e.say("\nExhibit %s of case %s", printable(s.Exhibit), printable(s.Case))
	e.say("  %s seen = %d new + %d unchanged + %d duplicate + %d known-good + %d unsupported + %d failed",
		count(s.Seen, "file", "files"), s.New, s.Unchanged, s.Duplicate, s.KnownGood, s.Unsupported, s.Failed)
	faces := "faces not looked for (no faces collection)"
	if s.FacesRan {
		faces = fmt.Sprintf("%s (%d too poor to search)", count(s.Faces, "face", "faces"), s.FacesPoor)
	}
	e.say("  in all: %s, %s, %s, %s, %s, %s", count(s.Media, "media", "media"), faces, count(s.Hits, "hit", "hits"),
		count(s.NearMatches, "near match", "near matches"), count(s.Candidates, "candidate", "candidates"), count(s.Contradictions, "contradiction", "contradictions"))
	if s.Texts+s.Selectors > 0 {
		e.say("  %s read for selectors; %s in contents and names", count(s.Texts, "text", "texts"), count(s.Selectors, "different selector", "different selectors"))
	}
	if s.Partial > 0 || s.Missing > 0 {
		e.say("  %d decoded only in part, %d recorded earlier and not there now", s.Partial, s.Missing)
	}
	if v.faceless > 0 {
		e.say("  no face was found in %s of this run", count(int64(v.faceless), "picture or video", "pictures and videos"))
	}
	if s.Containers > 0 {
		e.say("  %s among them, %d gone through in this run", count(s.Containers, "container", "containers"), s.Opened)
	}
	if len(v.unsupported) > 0 {
		e.say("  not examined, digests compared where there are any: %s", printable(reasons(v.unsupported)))
	}
	if len(s.Errors) > 0 {
		e.say("  failed by reason: %s", reasons(s.Errors))
	}
	for _, w := range s.NotCompared {
		e.say("  %s", printable(w))
	}
	items, bytes := s.Rate()
	e.say("  %.1f s, %.1f files and %s a second", s.Seconds, items, size(int64(bytes)))
	if s.Why != "" {
		e.say("  not complete: %s", s.Why)
	}
}

func (v *scanView) section(title string, kind scan.EventKind, head []string, row func(*table, scan.Event)) {
	t := newTable(head...)
	for _, x := range v.findings {
		if x.Event == kind {
			row(t, x)
		}
	}
	if len(t.rows) > 0 {
		v.e.say("\n%s", title)
		t.print(v.e.out)
	}
}

func note(note, source string) string {
	if note != "" {
		return note
	}
	return source
}

// categorized puts what the agency says of an entry before its note.
func categorized(c *semblance.EntryCategory, note string) string {
	if c == nil {
		return note
	}
	return c.String() + "; " + note
}

func shortName(alg string) string {
	name, _, _ := strings.Cut(alg, "/")
	return name
}

func reasons(m map[string]int) string {
	var out []string
	for k, n := range m {
		out = append(out, fmt.Sprintf("%s %d", k, n))
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func qualities(n *semblance.NearMatch) string {
	if n.Video != nil {
		return "-"
	}
	return fmt.Sprintf("%d/%d", n.Quality, n.EntryQuality)
}

// whichFace names the face of a candidate, and when it is seen in a video.
func whichFace(c *semblance.Candidate) string {
	name := strconv.Itoa(c.Face)
	if c.Appearance != nil {
		name += " " + c.Appearance.String()
	}
	return name
}

// where says which seconds of a video are near, in front of what they are near to.
func where(n *semblance.NearMatch) string {
	at := func(s float64) string {
		return (time.Duration(s*1000) * time.Millisecond).Round(100 * time.Millisecond).String()
	}
	switch {
	case n.Video != nil && len(n.Video.Segments) > 0:
		s := n.Video.Segments[0]
		text := fmt.Sprintf("%s to %s is %s to %s of", at(s.ProbeFrom), at(s.ProbeTo), at(s.ReferenceFrom), at(s.ReferenceTo))
		if more := len(n.Video.Segments) - 1 + n.Video.MoreSegments; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		return text + " "
	case n.Second != nil:
		return fmt.Sprintf("at %s, ", at(*n.Second))
	case n.EntrySecond != nil:
		return fmt.Sprintf("%s into ", at(*n.EntrySecond))
	}
	return ""
}
