package main

import (
	"context"
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
