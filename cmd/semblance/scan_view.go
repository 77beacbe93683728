package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// mostRecorded is how many files with findings are listed; the report has all.
const mostRecorded = 1000

// recorded are the findings of a whole exhibit as events, and the containers of which
// something was noted: what earlier runs found was not told in this one, and what the
// counts say has to be in the tables.
func (p *program) recorded(ctx context.Context, id semblance.CaseID, exhibit string) (findings, notes []scan.Event, err error) {
	rows, err := p.store.FindingRows(ctx, id, store.FindingFilter{Exhibit: exhibit, Limit: mostRecorded,
		Kinds: []store.FindingKind{store.KindHit, store.KindNearMatch, store.KindCandidate, store.KindContradiction}})
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows {
		findings = append(findings, scan.Findings(scan.Event{Path: r.Path, SHA256: r.Media.String(), Deleted: r.Deleted, Carved: r.Carved}, &r.Findings)...)
	}
	byPlace(findings)
	containers, err := p.store.NotedContainers(ctx, id, exhibit, mostRecorded)
	for _, c := range containers {
		notes = append(notes, scan.Event{Event: scan.EventContainer, Path: c.Item.Path, Opened: c.Item.Opened})
	}
	return findings, notes, err
}

// byPlace puts first what was found at the places that say most of a content.
func byPlace(findings []scan.Event) {
	slices.SortStableFunc(findings, func(a, b scan.Event) int { return cmp.Compare(detailsOf(a).Rank(), detailsOf(b).Rank()) })
}

// A scanView shows the scan of an exhibit to a person, or as NDJSON to a program.
type scanView struct {
	e        *env
	label    string        // of one of several exhibits, else ""
	bars     *mpb.Progress // nil: lines are printed instead
	bar      *mpb.Bar
	job      string
	seconds  atomic.Int64    // left, as the bar shows it; 0 is not known
	shown    [2]atomic.Int64 // files, of so many
	rate     atomic.Int64    // files a second, lately
	rated    time.Time       // when that was reckoned, with
	before   int64           // so many files
	working  atomic.Value    // string, of what takes long
	last     time.Time
	paused   bool
	failures []scan.Event
	findings []scan.Event
	partial  []scan.Event
	notes    []scan.Event // of containers
	unlisted int          // findings beyond those kept
	dropped  int          // other events beyond those kept
	told     int          // findings, as they came

	unsupported map[string]int // by reason
	faceless    int            // pictures of this run in which no face was found
	encrypted   int            // files of this run that no password opened
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
			mpb.PrependDecorators(decor.Name(printable(v.prefix()), decor.WCSyncSpaceR), decor.Any(func(decor.Statistics) string {
				return fmt.Sprintf("%d of %d files ", v.shown[0].Load(), v.shown[1].Load())
			}, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				return speed(v.rate.Load()) + left(time.Duration(v.seconds.Load())*time.Second) + v.longest()
			})))
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
	if sum.Case == "" && ctx.Err() != nil { // interrupted before it began
		var terr error
		if sum, terr = run.notBegun(context.WithoutCancel(ctx)); terr != nil {
			return sum, errors.Join(err, terr)
		}
		if v.e.json {
			_ = v.e.emit(scan.Event{Event: scan.EventSummary, Summary: &sum})
		}
	}
	if sum.Case != "" && !v.e.json {
		// Also of a run that was interrupted: the counts are of the whole exhibit.
		findings, notes, rerr := run.r.p.recorded(context.WithoutCancel(ctx), run.job.Case, run.order.Exhibit)
		if err == nil {
			err = rerr
		}
		if rerr == nil {
			v.findings, v.notes = findings, notes
			v.unlisted = int(sum.Hits+sum.NearMatches+sum.Candidates+sum.Contradictions) - len(findings)
		}
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
		v.findings = keep(v.findings, ev, &v.unlisted)
		v.early(ev)
	case scan.EventError:
		v.failures = keep(v.failures, ev, &v.dropped)
	case scan.EventContainer:
		if len(ev.Opened.Notes) > 0 {
			v.notes = keep(v.notes, ev, &v.dropped)
		}
	case scan.EventItem:
		v.item(ev)
	}
}

// keep remembers an event to be listed at the end: so many that a person can read them.
func keep(list []scan.Event, ev scan.Event, beyond *int) []scan.Event {
	if len(list) < mostRecorded {
		return append(list, ev)
	}
	*beyond++
	return list
}

// mostEarly is how many findings are told at once, before the scan has ended.
const mostEarly = 20

// early tells the first findings when they are stored: a scan can take days.
func (v *scanView) early(ev scan.Event) {
	if v.told++; v.told > mostEarly || v.e.quiet || ev.Event == scan.EventContradiction {
		return
	}
	line := string(ev.Event) + ": " + ev.Path + bracketed(marks(ev))
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
	if ev.Code == semblance.MediaEncrypted {
		v.encrypted++
	}
	switch {
	case ev.Status == semblance.ItemUnsupported:
		if v.unsupported == nil {
			v.unsupported = map[string]int{}
		}
		v.unsupported[ev.Reason]++
	case ev.Partial != "":
		v.partial = keep(v.partial, ev, &v.dropped)
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
		v.shown[0].Store(p.Items)
		v.shown[1].Store(max(p.TotalItems, p.Items))
		v.reckon(p, now)
		v.working.Store(working(jobProgress(p, todo).Works))
		v.bar.SetTotal(max(p.TotalItems, p.Items+1), false)
		v.bar.EwmaSetCurrent(p.Items, now.Sub(v.since(now)))
		v.last = now
	case now.Sub(v.since(now)) <= between:
	case v.e.json:
		v.last = now
		_ = v.e.emit(progressLine{"progress", v.job, v.label, jobProgress(p, todo), int64(p.Elapsed.Seconds())})
	case !v.e.quiet:
		v.last = now
		v.say(fmt.Sprintf("%s of %s files, %s, %d findings%s%s", thousands(p.Items), thousands(p.TotalItems), size(p.Bytes), p.Findings, left(todo), working(jobProgress(p, todo).Works)))
	}
}

// reckon says how many files a second there were in the last seconds.
func (v *scanView) reckon(p scan.Progress, now time.Time) {
	const lately = 2 * time.Second
	if v.rated.IsZero() {
		v.rated, v.before = now, p.Items
	}
	if dt := now.Sub(v.rated); dt >= lately {
		v.rate.Store(int64(float64(p.Items-v.before)/dt.Seconds() + 0.5))
		v.rated, v.before = now, p.Items
	}
}

// speed says files a second; nothing where there was none.
func speed(rate int64) string {
	if rate <= 0 {
		return ""
	}
	return fmt.Sprintf(" %d a second", rate)
}

// longest is what the bar says of what takes long.
func (v *scanView) longest() string {
	text, _ := v.working.Load().(string)
	return text
}

// working says what takes long now: the first of it, and how much more there is.
func working(list []api.JobWork) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return "; " + list[0].String()
	}
	return fmt.Sprintf("; %s and %d more", list[0], len(list)-1)
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
	v.section("Hits (a digest or a selector is in a collection)", scan.EventHit, []string{"COLLECTION", "BY", "NOTE"}, func(x scan.Event) []any {
		if x.Hit.Kind() != "digest" && !listed(x.Hit.Collection, x.Hit.Entry) {
			return nil
		}
		by := string(x.Hit.Algorithm)
		switch {
		case x.Hit.Kind() != "digest":
			by = bySelector(x.Hit)
		case x.Hit.Weak:
			by += " only: weak"
		}
		return cells(x.Hit.Collection, by, categorized(x.Hit.Category, noteOrSource(x.Hit.Note, x.Hit.Source)))
	})
	v.section("Near matches (a person has to verify them)", scan.EventNearMatch, []string{"COLLECTION", "DISTANCE", "TRANSFORM", "QUALITY", "OF"}, func(x scan.Event) []any {
		n := x.NearMatch
		if !listed(n.Collection, n.Entry) {
			return nil
		}
		return cells(n.Collection, fmt.Sprintf("%d of %d (%s)", n.Distance, n.Threshold, shortName(string(n.Algorithm))), n.Transform, qualities(n), where(n)+categorized(n.Category, note(n.Note, n.Source)))
	})
	if len(s.Floods) > 0 {
		e.say("\nFloods: of each entry only the first near match or hit of a selector is listed here, the report has all")
		for _, f := range s.Floods {
			e.say("  %s", printable(f.String()))
		}
	}
	v.section("Candidates (leads for an examiner, not identifications)", scan.EventCandidate, []string{"FACE", "QUALITY", "RANK", "SUBJECT", "COLLECTION", "DISTANCE", "THRESHOLD", "BAND"}, func(x scan.Event) []any {
		c := x.Candidate
		return cells(whichFace(c), fmt.Sprintf("%.0f", c.Quality), c.Rank, c.Subject, c.Collection, fmt.Sprintf("%.4f", c.Distance), fmt.Sprintf("%.4f", c.Threshold), c.Band)
	})
	v.section("Contradictions (a person has to decide)", scan.EventContradiction, []string{"KNOWN-GOOD IN", "BUT ALSO IN", "AS"}, func(x scan.Event) []any {
		return cells(x.Contradiction.KnownGood, x.Contradiction.Other, x.Contradiction.Because)
	})
	v.files("Containers", "NOTE", v.notes, func(x scan.Event) []string { return x.Opened.Notes })
	v.files("Failed", "WHY", v.failures, func(x scan.Event) []string { return []string{x.Reason} })
	v.files("Decoded only in part: the rest was not compared", "WHY", v.partial, func(x scan.Event) []string { return []string{x.Partial} })
	if v.unlisted > 0 {
		e.say("\n%s not listed here; the report has all", count(int64(v.unlisted), "finding is", "findings are"))
	}
	if v.dropped > 0 {
		e.say("\n%s that failed or were decoded only in part not listed here; the report has all", count(int64(v.dropped), "further file", "further files"))
	}
	e.say("\nExhibit %s of case %s", printable(s.Exhibit), printable(s.Case))
	e.say("  %s seen = %d new + %d unchanged + %d duplicate + %d known-good + %d unsupported + %d failed",
		count(s.Seen, "file", "files"), s.New, s.Unchanged, s.Duplicate, s.KnownGood, s.Unsupported, s.Failed)
	e.say("  in all: %s, %s, %s, %s, %s, %s", count(s.Media, "media", "media"), faces(s), inMedia(count(s.Hits, "hit", "hits"), s.Hits, s.HitMedia),
		inMedia(count(s.NearMatches, "near match", "near matches"), s.NearMatches, s.NearMatchMedia), inMedia(count(s.Candidates, "candidate", "candidates"), s.Candidates, s.CandidateMedia),
		count(s.Contradictions, "contradiction", "contradictions"))
	if s.Hits != s.HitMedia || s.NearMatches != s.NearMatchMedia || s.Candidates != s.CandidateMedia {
		e.say("  a media is counted once, and what was found in it at each file that has it and for each collection and entry")
	}
	if len(s.Elsewhere) > 0 {
		e.say("  of these not from this scan, which did not compare with these collections, but from earlier ones of this case: %s", printable(elsewhere(s.Elsewhere)))
	}
	if s.Texts+s.Selectors > 0 {
		e.say("  %s read for selectors; %s in contents and names", count(s.Texts, "text", "texts"), count(s.Selectors, "different selector", "different selectors"))
	}
	if s.Partial > 0 || s.Missing > 0 {
		e.say("  %d decoded only in part, %d recorded earlier and not there now", s.Partial, s.Missing)
	}
	if s.FacesRan && v.faceless > 0 { // a media that was examined earlier has its count also where no face is looked for
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
	if v.encrypted > 0 {
		e.say("  encrypted: %s; `--passwords FILE`, a password a line, tries those in it: scan again with it", count(int64(v.encrypted), "file", "files"))
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

// faces says how many faces there are, and whether this scan looked for any.
func faces(s scan.Summary) string {
	text := fmt.Sprintf("%s (%d too poor to search)", count(s.Faces, "face", "faces"), s.FacesPoor)
	switch {
	case s.FacesRan:
		return text
	case s.Faces > 0:
		return text + " of earlier scans, not looked for in this one (no faces collection)"
	}
	return "faces not looked for (no faces collection)"
}

// inMedia says in how many media so many findings are, where that is not as many.
func inMedia(text string, n, media int64) string {
	if n == media {
		return text
	}
	return fmt.Sprintf("%s in %s media", text, thousands(media))
}

// elsewhere says what was found in which collections.
func elsewhere(list []semblance.CollectionTally) string {
	var out []string
	for _, t := range list {
		var of []string
		for _, x := range []struct {
			n         int64
			one, many string
		}{{t.Hits, "hit", "hits"}, {t.NearMatches, "near match", "near matches"}, {t.Candidates, "candidate", "candidates"}, {t.Contradictions, "contradiction", "contradictions"}} {
			if x.n > 0 {
				of = append(of, count(x.n, x.one, x.many))
			}
		}
		out = append(out, t.Collection+" "+strings.Join(of, " and "))
	}
	return strings.Join(out, ", ")
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

// A listing is what is listed of one content in a table of findings: each finding once, at
// its first place, and the other places.
type listing struct {
	rows []scan.Event
	keys []string // of rows
	also []scan.Event
}

// add takes a finding; key is what makes it the same at another place.
func (l *listing) add(x scan.Event, key string) {
	switch {
	case !slices.Contains(l.keys, key):
		l.rows, l.keys = append(l.rows, x), append(l.keys, key)
	case !slices.ContainsFunc(l.also, func(o scan.Event) bool { return o.Path == x.Path }):
		l.also = append(l.also, x)
	}
}

// section prints the findings of a kind. A content that lies at several places is listed
// once, with the other places below: it is one thing that was found. row returns the cells
// after the file's, nil for what is not listed.
func (v *scanView) section(title string, kind scan.EventKind, head []string, row func(scan.Event) []any) {
	var order []string
	by := map[string]*listing{}
	marked := false
	for _, x := range v.findings {
		if x.Event != kind {
			continue
		}
		l := by[x.SHA256]
		if l == nil {
			l = &listing{}
			by[x.SHA256], order = l, append(order, x.SHA256)
		}
		bare := x
		bare.Path, bare.Deleted, bare.Carved = "", false, false
		key, _ := json.Marshal(bare) // plain data: cannot fail
		l.add(x, string(key))
		marked = marked || len(marks(x)) > 0
	}
	t := newTable(append(columns("FILE", "MARKS", marked), head...)...)
	for _, sum := range order {
		v.list(t, by[sum], marked, row)
	}
	if len(t.rows) > 0 {
		v.e.say("\n%s", title)
		t.print(v.e.out)
	}
}

func (v *scanView) list(t *table, l *listing, marked bool, row func(scan.Event) []any) {
	put := func(name string, x scan.Event, rest []any) {
		cells := []any{name}
		if marked {
			cells = append(cells, strings.Join(marks(x), ", "))
		}
		t.row(append(cells, rest...)...)
	}
	listed := false
	for _, x := range l.rows {
		if rest := row(x); rest != nil {
			put(x.Path, x, rest)
			listed = true
		}
	}
	if !listed {
		return
	}
	for _, x := range l.also {
		put("  also "+x.Path, x, nil)
	}
}

// columns are those a table begins with.
func columns(first, second string, both bool) []string {
	if both {
		return []string{first, second}
	}
	return []string{first}
}

func cells(c ...any) []any { return c }

func detailsOf(x scan.Event) *semblance.ItemDetails {
	return &semblance.ItemDetails{Deleted: x.Deleted, Carved: x.Carved}
}

func marks(x scan.Event) []string { return detailsOf(x).Marks() }

func bracketed(marks []string) string {
	if len(marks) == 0 {
		return ""
	}
	return " [" + strings.Join(marks, ", ") + "]"
}

func note(note, source string) string {
	if note != "" {
		return note
	}
	return source
}

// noteOrSource tells an entry's note, or else where the entry came from, so that this is not taken for a note.
func noteOrSource(note, source string) string {
	if note != "" || source == "" {
		return note
	}
	return "from " + source
}

// categorized puts what the agency says of an entry before its note.
func categorized(c *semblance.EntryCategory, note string) string {
	if c == nil {
		return note
	}
	return strings.TrimSuffix(c.String()+"; "+note, "; ")
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
	at := semblance.SecondsInWords
	switch {
	case n.Video != nil && len(n.Video.Segments) > 0:
		s := n.Video.Segments[0]
		text := fmt.Sprintf("%s to %s is %s to %s", at(s.ProbeFrom), at(s.ProbeTo), at(s.ReferenceFrom), at(s.ReferenceTo))
		if more := len(n.Video.Segments) - 1 + n.Video.MoreSegments; more > 0 {
			text += fmt.Sprintf(" (and %d more)", more)
		}
		return text + " of "
	case n.Second != nil:
		return fmt.Sprintf("at %s, ", at(*n.Second))
	case n.EntrySecond != nil:
		return fmt.Sprintf("%s into ", at(*n.EntrySecond))
	}
	return ""
}
