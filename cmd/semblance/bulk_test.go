package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An installation is a data folder and how the program is run over it, as a person would.
type installation struct {
	t    *testing.T
	data string
}

// command is the program, in a process of its own.
func (d *installation) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	c := exec.CommandContext(d.t.Context(), self)
	c.Args = append([]string{"semblance"}, args...)
	c.Env = append(os.Environ(), "SEMBLANCE_DATA="+d.data, "SEMBLANCE_WORKER="+testWorker(), "SEMBLANCE_MODELS_DIR="+testModels(), "SEMBLANCE_WORKERS=2")
	return c
}

func (d *installation) run(args ...string) string {
	d.t.Helper()
	var out, errs bytes.Buffer
	c := d.command(args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil && c.ProcessState.ExitCode() != 3 {
		d.t.Fatalf("semblance %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// newDevice has two cases and a collection of two pictures.
func newInstallation(t *testing.T, pictures []string) *installation {
	d := &installation{t, filepath.Join(t.TempDir(), "data")}
	d.run("case", "create", "C1", "--agency", "A", "--country", "NL", "--purpose", "p", "--basis", "b")
	d.run("case", "create", "C2", "--agency", "B", "--country", "BE", "--purpose", "p", "--basis", "b")
	d.run("collection", "create", "known", "--kind", "hashes", "--owner", "A", "--country", "NL", "--basis", "b")
	d.run("collection", "add", "known", pictures[2], pictures[3])
	return d
}

// seized makes what lies on the bench: a raw image and an E01 with deleted pictures, an
// extraction of a phone, a nested archive and a folder of videos. Nothing is mounted.
func seized(t *testing.T) (bench string, pictures []string) {
	t.Helper()
	data := os.Getenv("SEMBLANCE_TESTDATA")
	if testWorker() == "" || data == "" {
		t.Skip("the worker is not built or SEMBLANCE_TESTDATA is not set: no seized devices can be made")
	}
	for _, tool := range []string{"mke2fs", "debugfs", "mkfs.vfat", "mcopy", "mdel", "ewfacquire"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: no disk images can be made (scripts/setup installs it)", tool)
		}
	}
	pictures, err := filepath.Glob(filepath.Join(data, "faces", "*.jpg"))
	videos, _ := filepath.Glob(filepath.Join(data, "video", "*", "*.mp4"))
	if more, _ := filepath.Glob(filepath.Join(data, "video", "*.mp4")); len(more) > 0 {
		videos = append(videos, more...)
	}
	if err != nil || len(pictures) < 8 || len(videos) == 0 {
		t.Skipf("%s has %d pictures and %d videos", data, len(pictures), len(videos))
	}
	bench = filepath.Join(t.TempDir(), "bench")
	root := filepath.Join(t.TempDir(), "root")
	copyTo(t, pictures[0], filepath.Join(root, "DCIM/100APPLE/IMG_0001.JPG"))
	copyTo(t, pictures[1], filepath.Join(root, "DCIM/100APPLE/IMG_0002.JPG"))
	copyTo(t, pictures[2], filepath.Join(root, "Download/gone.jpg"))
	copyTo(t, videos[0], filepath.Join(bench, "videos/one.mp4"))
	copyTo(t, pictures[7], filepath.Join(bench, "videos/cover.jpg"))
	sized(t, filepath.Join(bench, "phone.raw"), 24<<20)
	sized(t, filepath.Join(root, "../stick.dd"), 24<<20)
	tool(t, bench, "mke2fs", "-q", "-t", "ext4", "-d", root, "phone.raw")
	tool(t, bench, "debugfs", "-w", "-R", "rm /Download/gone.jpg", "phone.raw")
	stick := filepath.Join(root, "../stick.dd")
	tool(t, bench, "mkfs.vfat", stick)
	for i, name := range map[int]string{0: "HOLIDAY.JPG", 3: "SECRET.JPG", 4: "OTHER.JPG"} {
		tool(t, bench, "mcopy", "-i", stick, pictures[i], "::/"+name)
	}
	tool(t, bench, "mdel", "-i", stick, "::/SECRET.JPG")
	tool(t, bench, "ewfacquire", "-u", "-q", "-t", "stick", "-f", "encase6", "-S", "10MiB", stick)

	var inner, middle bytes.Buffer
	zipped(t, &inner, map[string][]byte{"pic.jpg": content(t, pictures[6])})
	z := gzip.NewWriter(&middle)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "inner.zip", Size: int64(inner.Len()), Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(inner.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var nested, ufdr bytes.Buffer
	zipped(t, &nested, map[string][]byte{"middle.tar.gz": middle.Bytes()})
	put(t, filepath.Join(bench, "nested.zip"), nested.Bytes())
	zipped(t, &ufdr, map[string][]byte{"files/Image/IMG_0042.JPG": content(t, pictures[5]), "files/Image/shared.jpg": content(t, pictures[0]),
		"report.xml": []byte(`<?xml version="1.0" encoding="utf-8"?><project xmlns="http://pa.cellebrite.com/report/2.0" id="1" name="phone"><taggedFiles>` +
			`<file fs="f" fsid="1" path="/private/var/mobile/Media/DCIM/100APPLE/IMG_0042.JPG" size="1" id="1"><metadata section="File"><item name="Local Path"><![CDATA[files\Image\IMG_0042.JPG]]></item></metadata></file></taggedFiles></project>`)})
	put(t, filepath.Join(bench, "extraction.ufdr"), ufdr.Bytes())
	return bench, pictures
}

func tool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func zipped(t *testing.T, out *bytes.Buffer, files map[string][]byte) {
	t.Helper()
	z := zip.NewWriter(out)
	for name, b := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	put(t, to, content(t, from))
}

func sized(t *testing.T, path string, n int64) {
	t.Helper()
	put(t, path, nil)
	if err := os.Truncate(path, n); err != nil {
		t.Fatal(err)
	}
}

// tells checks that a report has lines that hold each list of texts, all of a list in one line.
func tells(t *testing.T, report string, want [][]string) {
	t.Helper()
	lines := strings.Split(report, "\n")
	for _, texts := range want {
		if !slices.ContainsFunc(lines, func(l string) bool {
			return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(l, text) })
		}) {
			t.Errorf("no line of the report has %v", texts)
		}
	}
	if t.Failed() {
		t.Log(report)
	}
}

// TestSeizedDevices: what lies on the bench is scanned as the README says, what was
// deleted is found, and so is what two devices share.
func TestSeizedDevices(t *testing.T) {
	t.Parallel()
	bench, pictures := seized(t)
	d := newInstallation(t, pictures)
	for name, in := range map[string]string{"phone.raw": "C1", "stick.E01": "C2", "extraction.ufdr": "C1", "nested.zip": "C1", "videos": "C1"} {
		d.run("scan", filepath.Join(bench, name), "--case", in, "--exhibit", name)
	}
	report := d.run("report", "C1", "--format", "jsonl") + d.run("report", "C2", "--format", "jsonl")
	tells(t, report, [][]string{
		{`"event":"item"`, `"path":"phone.raw//vol1@0/DCIM/100APPLE/IMG_0001.JPG"`, `"status":"new"`, `ext4`},
		{`"event":"hit"`, `"path":"phone.raw//vol1@0/Download/gone.jpg"`, `"collection":"known"`},
		{`"event":"item"`, `"path":"phone.raw//vol1@0/Download/gone.jpg"`, `"deleted":true`},
		{`"event":"hit"`, `"exhibit":"stick.E01"`, `"collection":"known"`, `vol1@0/_ECRET.JPG`},
		{`"event":"item"`, `"path":"stick.E01"`, `the MD5 stored by the acquiring tool agrees`},
		{`"path":"extraction.ufdr//files/Image/IMG_0042.JPG"`, `"device_path":"/private/var/mobile/Media/DCIM/100APPLE/IMG_0042.JPG"`},
		{`"path":"nested.zip//middle.tar.gz//inner.zip//pic.jpg"`, `"media_type":"image/jpeg"`},
		{`"path":"one.mp4"`, `"media_type":"video/mp4"`},
	})
	links := d.run("links", "--all", "--json")
	for _, exhibit := range []string{"phone.raw", "stick.E01", "extraction.ufdr"} {
		if !strings.Contains(strings.Split(links, "\n")[0], `"exhibit":"`+exhibit+`"`) {
			t.Errorf("the first link does not name %s: %s", exhibit, links)
		}
	}
	if graph := d.run("links", "--all", "--format", "graphml"); !strings.Contains(graph, "<graphml") {
		t.Error(graph)
	}
}

// TestImageThatIsNotWhole: an image whose last segment was not copied is examined, and
// nobody takes it for the whole device.
func TestImageThatIsNotWhole(t *testing.T) {
	t.Parallel()
	bench, pictures := seized(t)
	d := newInstallation(t, pictures)
	if err := os.Remove(filepath.Join(bench, "stick.E03")); err != nil {
		t.Fatal(err)
	}
	d.run("scan", bench, "--case", "C1", "--exhibit", "bench")
	tells(t, d.run("report", "C1", "--format", "jsonl"), [][]string{
		{`"event":"item"`, `"path":"stick.E01"`, `"status":"failed"`, `segment 3 (.E03) is missing`},
		{`"event":"item"`, `"path":"stick.E02"`, `"status":"unsupported"`, `a further segment of an image`},
		{`"event":"item"`, `"path":"stick.E01//vol1@0/HOLIDAY.JPG"`, `"sha256"`},
	})
}

// TestImagesThatEndEarly: raw images that are cut short, one that lacks a part and an EWF
// image that lacks a segment in its middle fail, and so does what lies behind the end.
func TestImagesThatEndEarly(t *testing.T) {
	t.Parallel()
	bench, pictures := seized(t)
	d := newInstallation(t, pictures)
	path := filepath.Join(t.TempDir(), "card.dd")
	sized(t, path, 24<<20)
	tool(t, bench, "mkfs.vfat", path)
	tool(t, bench, "mcopy", "-i", path, pictures[0], "::/HOLIDAY.JPG")
	tool(t, bench, "mcopy", "-i", path, pictures[4], "::/OTHER.JPG")
	card := content(t, path)
	at := bytes.Index(card, content(t, pictures[4])[:512])
	if at < 0 {
		t.Fatal("the picture does not lie there")
	}
	put(t, filepath.Join(bench, "cut.dd"), card[:at+1024])
	put(t, filepath.Join(bench, "parts.001"), card[:8<<20])
	put(t, filepath.Join(bench, "parts.003"), card[16<<20:])
	if err := os.Truncate(filepath.Join(bench, "phone.raw"), 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(bench, "stick.E02")); err != nil {
		t.Fatal(err)
	}
	d.run("scan", bench, "--case", "C1", "--exhibit", "bench")
	report := d.run("report", "C1", "--format", "jsonl")
	tells(t, report, [][]string{
		{`"event":"item"`, `"path":"cut.dd"`, `"status":"failed"`, fmt.Sprintf("the image ends at byte %d, and the file system vol1@0 (fat", at+1024)},
		{`"event":"item"`, `"path":"cut.dd//vol1@0/HOLIDAY.JPG"`, `"sha256"`},
		{`"event":"item"`, `"path":"cut.dd//vol1@0/OTHER.JPG"`, `"status":"failed"`, fmt.Sprintf(`"size":%d,`, len(content(t, pictures[4]))), "the image ends before byte"},
		{`"event":"item"`, `"path":"phone.raw"`, `"status":"failed"`, `the image ends at byte 8388608, and the file system vol1@0 (ext4) reaches to byte 25165824`},
		{`"event":"item"`, `"path":"parts.001"`, `"status":"failed"`, `the part parts.002 of the image is missing`},
		{`"event":"item"`, `"path":"stick.E01"`, `"status":"failed"`, `segment 2 (.E02) is missing`},
		{`"event":"item"`, `"path":"stick.E03"`, `"status":"unsupported"`, `a further segment of an image`},
	})
	if strings.Contains(report, "stick.E03//") || strings.Contains(report, "the file is empty") {
		t.Error(report)
	}
}

// TestKilledAtRandom kills scans with SIGKILL at random moments, and runs them again: the
// report is that of a scan that nothing disturbed. SEMBLANCE_TEST_KILLS says how many times.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("SEMBLANCE_TEST_KILLS")); err == nil {
		kills = n
	}
	bench, pictures := seized(t)
	whole := newInstallation(t, pictures)
	start := time.Now()
	whole.run("scan", bench, "--case", "C1", "--exhibit", "bench")
	took := time.Since(start)
	want := whole.run("report", "C1", "--format", "jsonl")
	rnd := rand.New(rand.NewPCG(6, uint64(kills)))
	for done := 0; done < kills; {
		d := newInstallation(t, pictures)
		for round := 0; round < 10 && done < kills; round++ {
			ended, err := d.killAfter(t.Context(), time.Duration(rnd.Int64N(int64(took))), "scan", bench, "--case", "C1", "--exhibit", "bench")
			if err != nil {
				t.Fatal(err)
			}
			if ended {
				break // it was quicker
			}
			done++
		}
		d.run("scan", bench, "--case", "C1", "--exhibit", "bench")
		if got := d.run("report", "C1", "--format", "jsonl"); got != want {
			t.Fatalf("after %d kills the report is another:\n%s\nwant\n%s", done, got, want)
		}
	}
}

// killAfter kills a command after some time; ended says that it had ended by itself.
func (d *installation) killAfter(ctx context.Context, after time.Duration, args ...string) (ended bool, err error) {
	var errs bytes.Buffer
	c := d.command(args...)
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		return false, err
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	err = c.Wait()
	timer.Stop()
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() && ctx.Err() == nil {
		return false, nil
	}
	if code := c.ProcessState.ExitCode(); code != 0 && code != 3 {
		return true, fmt.Errorf("%w\n%s", err, errs.String())
	}
	return true, nil
}
