package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"semblance"
	"semblance/api"
	"semblance/scan"
	"semblance/store"
)

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

// A scanView shows the scan of an exhibit to a person, or as NDJSON to a program.
type scanView struct {
	e        *env
	label    string        // of one of several exhibits, else ""
	bars     *mpb.Progress // nil: lines are printed instead
	bar      *mpb.Bar
	job      string
	seconds  atomic.Int64 // left, as the bar shows it; 0 is not known
	last     time.Time
	paused   bool
	failures []scan.Event
	findings []scan.Event
	partial  []scan.Event
	notes    []scan.Event // of containers
	unlisted int          // events beyond those kept
	told     int          // findings, as they came

	unsupported map[string]int // by reason
	faceless    int            // pictures of this run in which no face was found
}

// bars is where progress is drawn; nil where no person watches.
func (e *env) bars() *mpb.Progress {
	if e.quiet || e.json || !terminal(e.err) {
		return nil
	}
	return mpb.New(mpb.WithOutput(e.err), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
}

func newScanView(e *env, bars *mpb.Progress) *scanView { return newNamedView(e, bars, "") }

// newNamedView is the view of one of several exhibits, which all that it says names.
func newNamedView(e *env, bars *mpb.Progress, label string) *scanView {
	v := &scanView{e: e, bars: bars, label: label}
	if bars != nil {
		v.bar = bars.AddBar(0, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(printable(v.prefix()), decor.WCSyncSpaceR), decor.CountersNoUnit("%d of %d files ", decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.EwmaSpeed(0, " %.0f a second", 30), decor.Any(func(decor.Statistics) string { return left(time.Duration(v.seconds.Load()) * time.Second) })))
	}
	return v
}

// prefix begins what is said of one of several exhibits.
func (v *scanView) prefix() string {
	if v.label == "" {
		return ""
	}
	return v.label + ": "
}

// left says how long a scan still takes, when that is known.
func left(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return ", " + about(d) + " left"
}

// say prints a line beside the progress.
func (v *scanView) say(line string) {
	line = printable(v.prefix() + line)
	if v.bars != nil {
		_, _ = fmt.Fprintln(v.bars, line)
		return
	}
	v.e.note("%s", line)
}

// run runs a scan and shows how it goes.
func (v *scanView) run(ctx context.Context, run *scanRun, turn func(context.Context) (func(), error)) (scan.Summary, error) {
	v.job = string(run.job.ID)
	sum, err := run.run(ctx, turn, scanWatch{event: v.event, progress: v.progress, state: v.state})
	if err == nil && sum.Unchanged > 0 && !v.e.json {
		// What earlier runs found was not told in this one, and a person wants the whole.
		v.findings, err = run.r.p.recorded(ctx, run.job.Case, run.order.Exhibit)
	}
	v.stop()
	return sum, err
}

// state tells that a scan is paused, or goes on.
func (v *scanView) state(j store.Job) {
	was := v.paused
	v.paused = j.State == store.JobPaused
	if v.e.json {
		if v.label != "" || was || v.paused {
			_ = v.e.emit(map[string]any{"event": "job", "job": v.job, "exhibit": exhibitOf(j), "state": j.State})
		}
		return
	}
	switch {
	case v.paused:
		v.failures = nil // they are told again when it goes on
		v.say(fmt.Sprintf("paused; `semblance jobs resume %s` goes on, and this command waits for it", v.job))
	case was:
		v.say("goes on")
	case v.e.shared != nil:
		v.say(fmt.Sprintf("job %s; `semblance jobs pause %s` pauses it", v.job, v.job))
	}
}

func exhibitOf(j store.Job) string {
	o, _ := scanOrderOf(j) // made by this program
	return o.Exhibit
}

// ended says how one of several exhibits ended, before all of them are printed.
func (v *scanView) ended(sum scan.Summary, err error) {
	switch {
	case v.e.json:
	case err != nil:
		v.say("not complete: " + message(err))
	default:
		v.say(fmt.Sprintf("%s seen, %s, %s, %s, %d failed", count(sum.Seen, "file", "files"), count(sum.Hits, "hit", "hits"),
			count(sum.NearMatches, "near match", "near matches"), count(sum.Candidates, "candidate", "candidates"), sum.Failed))
	}
}

// failed tells why the scan of one of several exhibits failed, and returns how the command
// ends for that.
func (v *scanView) failed(err error) error {
	if v.e.json {
		_ = v.e.emit(scan.Event{Event: scan.EventError, Exhibit: v.label, Code: semblance.CodeOf(err), Reason: message(err)})
	}
	return errTold(exitCode(fmt.Errorf("exhibit %q: %w", v.label, err), v.e.err))
}

func (v *scanView) event(ev scan.Event) {
	if v.e.json {
		ev.Exhibit = v.label
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
	line := string(ev.Event) + ": " + ev.Path
	switch {
	case ev.Hit != nil:
		line += " in " + ev.Hit.Collection
	case ev.NearMatch != nil:
		line += " near " + ev.NearMatch.Collection
	case ev.Candidate != nil:
		line += " of " + ev.Candidate.Collection + " (a lead, not an identification)"
	}
	if v.told == mostEarly {
		line += "; further ones are listed at the end"
	}
	v.say(line)
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

// A progressLine is an event that only a program that follows a scan reads.
type progressLine struct {
	Event   string `json:"event"`
	Job     string `json:"job,omitempty"`
	Exhibit string `json:"exhibit,omitempty"`
	api.JobProgress
	Seconds int64 `json:"seconds"`
}

// between is the time between two lines of progress.
const between = 10 * time.Second

func (v *scanView) progress(p scan.Progress, todo time.Duration) {
	now := time.Now()
	switch {
	case v.bar != nil:
		v.seconds.Store(int64(todo.Seconds()))
		v.bar.SetTotal(max(p.TotalItems, p.Items+1), false)
		v.bar.EwmaSetCurrent(p.Items, now.Sub(v.since(now)))
		v.last = now
	case now.Sub(v.since(now)) <= between:
	case v.e.json:
		v.last = now
		_ = v.e.emit(progressLine{"progress", v.job, v.label, jobProgress(p, todo), int64(p.Elapsed.Seconds())})
	case !v.e.quiet:
		v.last = now
		v.say(fmt.Sprintf("%s of %s files, %s, %d findings%s", thousands(p.Items), thousands(p.TotalItems), size(p.Bytes), p.Findings, left(todo)))
	}
}

// since is when progress was last shown.
func (v *scanView) since(now time.Time) time.Time {
	if v.last.IsZero() {
		v.last = now.Add(-time.Millisecond)
	}
	return v.last
}

// stop takes the bar away.
func (v *scanView) stop() {
	if v.bar != nil {
		v.bar.Abort(true)
	}
}

// done prints the scan of the only exhibit.
func (v *scanView) done(sum scan.Summary, err error) {
	if v.stop(); v.bars != nil {
		v.bars.Wait()
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

// nothing reports whether a scan that came to its end saw no file at all, which is what a
// disk that was not mounted looks like.
func nothing(s scan.Summary) bool { return s.Complete && s.Seen == 0 }

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
	v.files("Containers", "NOTE", v.notes, func(x scan.Event) []string { return x.Opened.Notes })
	v.files("Failed", "WHY", v.failures, func(x scan.Event) []string { return []string{x.Reason} })
	v.files("Decoded only in part: the rest was not compared", "WHY", v.partial, func(x scan.Event) []string { return []string{x.Partial} })
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
	if nothing(s) {
		e.say("  NOTHING IS THERE: no file was seen, so none was examined")
	}
}

// files prints a table of files and what is said of each, unless there are none.
func (v *scanView) files(title, column string, list []scan.Event, say func(scan.Event) []string) {
	if len(list) == 0 {
		return
	}
	v.e.say("\n%s", title)
	t := newTable("FILE", column)
	for _, x := range list {
		for _, text := range say(x) {
			t.row(x.Path, text)
		}
	}
	t.print(v.e.out)
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
