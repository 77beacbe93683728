package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"semblance"
)

// browser starts a headless Chromium, or skips.
func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here: the page is not tried in a browser (Debian: apt install chromium)")
	}
	// Not t.TempDir: processes of the browser can write for a moment after it has ended.
	profile, err := os.MkdirTemp("", "semblance-browser-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) })
	alloc, stop := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(profile), chromedp.WindowSize(1200, 1000), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true))
	t.Cleanup(stop)
	tab, stopTab := chromedp.NewContext(alloc)
	t.Cleanup(stopTab)
	ctx, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestPageShowsCandidates works with the page as a person does: token, case, files,
// result; with names and notes that would be dangerous as HTML.
func TestPageShowsCandidates(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no browser")
	}
	ctx := browser(t)
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	dir := t.TempDir()
	var files []string
	for name, content := range map[string]string{"<img src=x onerror=alert(1)>.jpg": "face bona-2", "nobody.jpg": "face stranger", "known.bin": "known file"} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, p)
	}
	var results, state, blurred, held, released, injected string
	var wrong, algorithms string
	err := chromedp.Run(ctx,
		chromedp.Navigate(s.url+"/"),
		chromedp.WaitVisible("#token"),
		chromedp.SendKeys("#token", "smb_wrong"),
		chromedp.Click("#login button"),
		chromedp.WaitVisible("#problem"),
		chromedp.Text("#problem", &wrong),
		chromedp.SetValue("#token", s.token),
		chromedp.Click("#login button"),
		chromedp.WaitVisible("#collections input"),
		chromedp.SetUploadFiles("#files", files),
		chromedp.WaitEnabled("#start"),
		chromedp.Click("#start"),
		chromedp.WaitVisible(".candidate"),
		chromedp.Text("#state", &state),
		chromedp.Text("#results", &results),
		chromedp.Evaluate(`getComputedStyle(document.querySelector('.candidate img')).filter`, &blurred),
		chromedp.Evaluate(`{ const b = document.querySelector('.candidate .picture'); b.dispatchEvent(new PointerEvent('pointerdown')); getComputedStyle(b.firstChild).filter }`, &held),
		chromedp.Evaluate(`{ const b = document.querySelector('.candidate .picture'); b.dispatchEvent(new PointerEvent('pointerup')); getComputedStyle(b.firstChild).filter }`, &released),
		chromedp.Evaluate(`String(document.querySelectorAll('#results img[src="x"]').length)`, &injected),
		chromedp.Evaluate(`hitView('Hit', {algorithm: 'selector/user-1', agree: ['selector/user-1', 'selector/phone-2'], collection: 'c', owner: 'o', value: 'kim', raw: '@Kim', place: 'byte 7', count: 3}).textContent + '; ' + shownAlgorithm('sha256') + ' ' + shownAlgorithm('pdq/1')`, &algorithms),
	)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(wrong, "the token is not known") {
		t.Errorf("a wrong token is told as %q", wrong)
	}
	if !strings.Contains(blurred, "blur") || strings.Contains(held, "blur") || !strings.Contains(released, "blur") {
		t.Errorf("filters: at first %q, held %q, let go %q", blurred, held, released)
	}
	if injected != "0" {
		t.Errorf("a file name became %s elements", injected)
	}
	for _, want := range []string{"<img src=x onerror=alert(1)>.jpg", "Candidate: a lead for an examiner, not an identification", "bona", "wanted (Lab)", fmt.Sprintf("%.4f", semblance.Engines()[0].Distance), "not calibrated",
		fmt.Sprintf("yunet-mobilefacenet version %d", semblance.Engines()[0].Version), "80 of the probe, 80 of the reference", "Hit in known", "a note", "No candidate within the thresholds", "Weaker on children"} {
		if !strings.Contains(results, want) {
			t.Errorf("the results lack %q", want)
		}
	}
	for _, want := range []string{"byuser (the name alone)", "agreeuser (the name alone), phone", "written@Kim", "atbyte 7, 3 times", "; sha256 pdq/1"} {
		if !strings.Contains(algorithms, want) || strings.Contains(algorithms, "selector/") {
			t.Errorf("a hit by a selector is shown as %q, which lacks %q", algorithms, want)
		}
	}
	if !strings.Contains(state, "3 files, 1 hit, 0 near matches, 1 candidate") {
		t.Errorf("the state is %q", state)
	}
	if t.Failed() {
		t.Logf("results: %s", results)
	}
}

// TestPageShowsJobsNoticesAndLinks works with the rest of the page: a scan is paused and
// goes on, a notice is read and marked as seen, and links are shown; names are text.
func TestPageShowsJobsNoticesAndLinks(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no browser")
	}
	ctx := browser(t)
	s := slowService(t, t.TempDir())
	s.furnish()
	const evil = "<img src=x onerror=alert(1)> kim@example.net.jpg"
	for _, label := range []string{"U1", "U2"} {
		if j := s.finished(s.upload(label, sentFile{evil, "face ann"})); j["state"] != "done" {
			t.Fatalf("job %v", j)
		}
	}
	s.askAs(t, "import", "POST", "/v1/collections/known/hashes?source=list", "text/plain", fmt.Sprintf("sha256:%x\n", sha256.Sum256([]byte("face ann"))), 200, `"added":1`)
	s.settled(t)
	command := s.start(t.Context(), "scan", evidence(t, "phone"), "--case", "A/1", "--exhibit", "E1")
	<-s.fake.seen
	var running, paused, done, notices, none, links, injected string
	err := chromedp.Run(ctx,
		chromedp.Navigate(s.url+"/"),
		chromedp.WaitVisible("#token"),
		chromedp.SetValue("#token", s.token),
		chromedp.Click("#login button"),
		chromedp.WaitEnabled("#show-jobs"),
		chromedp.Click("#show-jobs"),
		chromedp.WaitVisible("#jobs table"),
		chromedp.Text("#jobs", &running),
		chromedp.Evaluate(`[...document.querySelectorAll('#jobs button')].find((b) => b.textContent === 'Pause').click()`, nil),
		chromedp.Poll(`[...document.querySelectorAll('#jobs button')].some((b) => b.textContent === 'Resume')`, nil),
		chromedp.Text("#jobs", &paused),
		chromedp.ActionFunc(func(context.Context) error { close(s.fake.slow); return nil }),
		chromedp.Evaluate(`[...document.querySelectorAll('#jobs button')].find((b) => b.textContent === 'Resume').click()`, nil),
		chromedp.ActionFunc(func(context.Context) error { command.ends(0); return nil }),
		chromedp.Click("#show-jobs"),
		chromedp.Poll(`document.querySelectorAll('#jobs button').length === 0 && document.querySelector('#jobs table') !== null`, nil),
		chromedp.Text("#jobs", &done),
		chromedp.Click("#show-notices"),
		chromedp.WaitVisible("#notices table"),
		chromedp.Text("#notices", &notices),
		chromedp.Click("#seen"),
		chromedp.WaitVisible("#notices > p"),
		chromedp.Text("#notices", &none),
		chromedp.Click("#show-links"),
		chromedp.WaitVisible("#links table"),
		chromedp.Text("#links", &links),
		chromedp.Evaluate(`String(document.querySelectorAll('img[src="x"]').length)`, &injected),
	)
	if err != nil {
		t.Fatal(err)
	}
	for what, x := range map[string]struct {
		text string
		want []string
	}{
		"jobs":                {running, []string{"3 jobs", "scan", "E1", "running", "Pause", "Cancel", "1 file, 0 hits"}},
		"jobs, paused":        {paused, []string{"paused", "Resume", "Cancel"}},
		"jobs, ended":         {done, []string{"3 jobs", "5 files, 1 hit, 0 near matches, 3 candidates"}},
		"notices":             {notices, []string{"new hit on old exhibit", "known", "U1: " + evil, "U2: " + evil}},
		"notices, seen":       {none, []string{"There is no notice that nobody has seen."}},
		"links":               {links, []string{"3 exhibits of 1 case compared; 2 links", "same media", "A/1 U1: 1 item, " + evil, "email:kim@example.net", "Pairs of exhibits", "same media 1, selector 1"}},
		"names that are HTML": {injected, []string{"0"}},
	} {
		for _, want := range x.want {
			if !strings.Contains(x.text, want) {
				t.Errorf("%s: no %q in\n%s", what, want, x.text)
			}
		}
	}
	if open := s.do("GET", "/v1/cases/A%2F1/notices", "", nil); !strings.Contains(open.body, `"notices":[]`) {
		t.Errorf("a notice was not marked as seen: %s", open.body)
	}
}
