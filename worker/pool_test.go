package worker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/worker"
)

// open returns a pool of test children.
func open(t *testing.T, change ...func(*worker.Options)) *worker.Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := worker.Options{Program: self, Workers: 1, Env: []string{childEnv + "=serve"}}
	for _, f := range change {
		f(&o)
	}
	p, err := worker.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// order returns a file that tells a test child what to do.
func order(t *testing.T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "order")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func analyze(t *testing.T, p *worker.Pool, text string, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	t.Helper()
	return p.Analyze(t.Context(), order(t, text), req)
}

func everything() semblance.AnalyzeRequest {
	return semblance.AnalyzeRequest{
		Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmPHash, hashing.AlgorithmDHash, hashing.AlgorithmAHash},
		Engine: semblance.YuNetMobileFaceNet, Engines: []semblance.EngineName{semblance.YuNetDlib}, Crops: true, Thumbnail: 128, Pictures: 64,
	}
}

// mustWork proves that the pool still answers.
func mustWork(t *testing.T, p *worker.Pool) {
	t.Helper()
	if a, err := analyze(t, p, "ok", everything()); err != nil || a.Type != "image/test" {
		t.Fatalf("the pool does not work any more: %+v, %v", a, err)
	}
}

func TestAnalyzeCarriesTheWholeAnswer(t *testing.T) {
	t.Parallel()
	p := open(t)
	a, err := analyze(t, p, "ok", everything())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Hashes) != 1 || a.Hashes[0].PDQ.Quality != 77 || a.Hashes[0].PDQ.Hash != (hashing.PDQ{1, 2, 3}) || *a.Hashes[0].DHash != 0x0123456789abcdef {
		t.Errorf("hashes %+v", a.Hashes)
	}
	set, ran := a.Faces(semblance.YuNetDlib)
	if !ran || len(set.Faces) != 1 || len(set.Faces[0].Embedding) != 128 || len(set.Faces[0].Crop) == 0 || len(a.Thumbnail) == 0 {
		t.Errorf("faces %+v", set)
	}
}

func TestAnErrorOfTheChildKeepsCodeSentenceAndHint(t *testing.T) {
	t.Parallel()
	p := open(t)
	_, err := analyze(t, p, "damaged 17", semblance.AnalyzeRequest{})
	if !errors.Is(err, semblance.MediaDamaged) || err.Error() != "the picture ends after 17 rows" || semblance.HintOf(err) != "Look for a better copy." {
		t.Errorf("%v, hint %q", err, semblance.HintOf(err))
	}
	_, err = analyze(t, p, "unavailable", semblance.AnalyzeRequest{})
	if !errors.Is(err, semblance.Unavailable) {
		t.Errorf("%v", err)
	}
	if s := p.Stats(); s.Started != 1 || s.Killed != 0 || s.Files != 2 {
		t.Errorf("an honest error cost a child: %+v", s)
	}
}

func TestADeadChildIsReplacedAndSaysWhatItDiedOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		order string
		code  semblance.Code
		says  string
	}{
		{"segv", semblance.Internal, "crashed on this file (signal: segmentation fault)"},
		{"abort", semblance.Internal, "crashed on this file (signal: abort)"},
		{"panic", semblance.Internal, "crashed on this file (exit status 2)"},
		{"exit", semblance.Internal, "crashed on this file (exit status 3)"},
		{"eat", semblance.MediaTooLarge, "needs more than 256 MiB of memory"},
		{"nibble", semblance.MediaTooLarge, "needs more than 256 MiB of memory"},
		{"reserve", semblance.MediaTooLarge, "needs more than 256 MiB of memory"},
		{"hang", semblance.Timeout, "took longer than 2s"},
		{"spin", semblance.Timeout, "used more than 500ms of processor time"},
	} {
		t.Run(tt.order, func(t *testing.T) {
			t.Parallel()
			if tt.code != semblance.Internal && tt.order != "hang" {
				needCage(t)
			}
			p := open(t)
			l := semblance.Limits{Memory: 256 << 20, Deadline: time.Minute, CPU: 20 * time.Second}
			switch tt.order {
			case "hang":
				l.Deadline = 2 * time.Second
			case "spin":
				l.CPU = 500 * time.Millisecond
			}
			_, err := analyze(t, p, tt.order, semblance.AnalyzeRequest{Limits: l})
			if !errors.Is(err, tt.code) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "the worker was replaced") {
				t.Errorf("code %s, %v, cause %v", semblance.CodeOf(err), err, errors.Unwrap(err))
			}
			if semblance.HintOf(err) == "" {
				t.Error("no hint")
			}
			mustWork(t, p)
			if s := p.Stats(); s.Killed != 1 || s.Started != 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestTheLastWordsOfAChildAreKeptAndCapped(t *testing.T) {
	t.Parallel()
	p := open(t)
	_, err := analyze(t, p, "print", semblance.AnalyzeRequest{})
	var e *semblance.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	cause := e.Err.Error()
	if !strings.Contains(cause, "the last words") || !strings.Contains(cause, "noise") || len(cause) > 8<<10 {
		t.Errorf("%d bytes: %.200q", len(cause), cause)
	}
	if strings.Contains(err.Error(), "noise") {
		t.Error("a child's output is shown to everybody")
	}
}

func TestACrashIsTriedAgainOnlyWhereAnEarlierFileMayBeToBlame(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := open(t, func(o *worker.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if _, err := analyze(t, p, "exit", semblance.AnalyzeRequest{}); err == nil {
		t.Fatal("no error")
	}
	if s := p.Stats(); s.Retried != 0 || s.Started != 1 {
		t.Errorf("tried again in vain: %+v", s)
	}
	mustWork(t, p)
	if _, err := analyze(t, p, "exit", semblance.AnalyzeRequest{}); err == nil {
		t.Fatal("no error")
	}
	if s := p.Stats(); s.Retried != 1 || s.Started != 3 || s.Killed != 3 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(log.String(), "a worker was replaced"); n != 3 {
		t.Errorf("%d of 3 deaths logged:\n%s", n, log.String())
	}
}

func TestChildrenAreRecycled(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.RecycleAfter = 3 })
	for range 7 {
		mustWork(t, p)
	}
	if s := p.Stats(); s.Started != 3 || s.Recycled != 2 || s.Killed != 0 || s.Files != 7 {
		t.Errorf("%+v", s)
	}
	fat := open(t, func(o *worker.Options) { o.RecycleRSS = 1 })
	needCage(t)
	mustWork(t, fat)
	mustWork(t, fat)
	if s := fat.Stats(); s.Recycled != 2 {
		t.Errorf("%+v", s)
	}
}

func TestCancelEndsTheFileAndNothingElse(t *testing.T) {
	t.Parallel()
	p := open(t)
	mustWork(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	start := time.Now()
	_, err := p.Analyze(ctx, order(t, "hang"), semblance.AnalyzeRequest{})
	if !errors.Is(err, context.Canceled) || semblance.CodeOf(err) != semblance.Canceled {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	mustWork(t, p)
	if _, err := p.Analyze(ctx, order(t, "ok"), semblance.AnalyzeRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context still decodes: %v", err)
	}
}

func TestWaitingForAWorkerEndsWithTheContext(t *testing.T) {
	t.Parallel()
	p := open(t)
	busy, done := context.WithCancel(t.Context())
	f, held := order(t, "hang"), make(chan error, 1)
	go func() { _, err := p.Analyze(busy, f, semblance.AnalyzeRequest{}); held <- err }()
	for p.Stats().Started == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Analyze(ctx, order(t, "ok"), semblance.AnalyzeRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	done()
	if err := <-held; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	mustWork(t, p)
}

func TestManyFilesShareFewChildren(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.Workers = 3 })
	var wg sync.WaitGroup
	for i := range 60 {
		text := "ok"
		if i%20 == 7 {
			text = "exit"
		}
		f := order(t, text)
		wg.Go(func() {
			_, err := p.Analyze(t.Context(), f, everything())
			if (err != nil) != (text == "exit") {
				t.Errorf("%s: %v", text, err)
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.Files != 60 || s.Started < 3 || s.Started > 3+6 {
		t.Errorf("%+v", s)
	}
}

func TestCloseEndsWhatIsInWork(t *testing.T) {
	t.Parallel()
	p := open(t)
	held := make(chan error, 1)
	f := order(t, "hang")
	go func() { _, err := p.Analyze(t.Context(), f, semblance.AnalyzeRequest{}); held <- err }()
	for p.Stats().Started == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-held; !errors.Is(err, semblance.Unavailable) {
		t.Errorf("%v", err)
	}
	if _, err := analyze(t, p, "ok", semblance.AnalyzeRequest{}); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("a closed pool answers: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestAChildGetsItsOwnReadOnlyDescriptionAndNoSecrets(t *testing.T) {
	t.Setenv("SEMBLANCE_SECRET", "hunter2")
	p := open(t)
	a, err := analyze(t, p, "write", semblance.AnalyzeRequest{})
	if err != nil || !strings.Contains(a.Partial, "bad file descriptor") {
		t.Errorf("a child can write to evidence: %q, %v", a.Partial, err)
	}
	f := order(t, "seek")
	if _, err := p.Analyze(t.Context(), f, semblance.AnalyzeRequest{}); err != nil {
		t.Fatal(err)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at != 0 {
		t.Errorf("a child moved the caller's position to %d", at)
	}
	a, err = analyze(t, p, "environment", semblance.AnalyzeRequest{})
	if err != nil || strings.Contains(strings.Join(a.Warnings, " "), "hunter2") || len(a.Warnings) > 12 {
		t.Errorf("environment %q, %v", a.Warnings, err)
	}
	a, err = analyze(t, p, "descriptors", semblance.AnalyzeRequest{})
	if err != nil || len(a.Warnings) != 1 {
		t.Errorf("a child has other files than its own: %q, %v", a.Warnings, err)
	}
}

func TestReadingLeavesTheAccessTimeAlone(t *testing.T) {
	t.Parallel()
	needCage(t)
	p, f := open(t), order(t, "ok")
	old := time.Now().Add(-72 * time.Hour).Truncate(time.Second)
	if err := os.Chtimes(f.Name(), old, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Analyze(t.Context(), f, semblance.AnalyzeRequest{}); err != nil {
		t.Fatal(err)
	}
	if at := accessTime(t, f); !at.Equal(old) {
		t.Errorf("the access time was %v and is %v", old, at)
	}
}

func TestAnswersThatNoHonestChildGivesCostTheChild(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"many-faces", "large-crop", "crop-not-jpeg", "short-embedding", "long-embedding-vector", "score", "component", "box",
		"turn", "smaller-faces", "other-score", "far-box", "no-face-set", "other-engine", "other-version", "other-model", "missing-hashes", "orientation", "size", "pixels", "thumbnail", "large-frame", "frame-twice",
		"supplied-value", "provider-run", "odd-error"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := open(t)
			_, err := analyze(t, p, how, everything())
			if !errors.Is(err, semblance.Internal) || !strings.Contains(err.Error(), "not a valid one") {
				t.Errorf("%v", err)
			}
			mustWork(t, p)
			if s := p.Stats(); s.Killed != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("unasked-hash", func(t *testing.T) {
		t.Parallel()
		if _, err := analyze(t, open(t), "unasked-hash", semblance.AnalyzeRequest{}); !errors.Is(err, semblance.Internal) {
			t.Errorf("%v", err)
		}
	})
}

// Pixels come as they were sent, and the next answer is not mistaken for them.
func TestPixelsFollowTheirAnalysis(t *testing.T) {
	t.Parallel()
	p := open(t)
	for range 2 {
		a, err := analyze(t, p, "frames", semblance.AnalyzeRequest{Pictures: 64, Limits: semblance.Limits{Frames: 2}})
		if err != nil || len(a.Pictures) != 2 {
			t.Fatal(len(a.Pictures), err)
		}
		for i, f := range a.Pictures {
			ok := f.Index == i && f.Width == 64 && f.Height == 30+i && len(f.RGB) == 3*64*(30+i)
			for k := range f.RGB {
				ok = ok && f.RGB[k] == byte(k+i)
			}
			if !ok {
				t.Errorf("frame %d is %d by %d with %d bytes, or has others", f.Index, f.Width, f.Height, len(f.RGB))
			}
		}
		mustWork(t, p)
	}
	if _, err := analyze(t, p, "frames", semblance.AnalyzeRequest{Pictures: 64, Limits: semblance.Limits{Frames: 1}}); !errors.Is(err, semblance.Internal) {
		t.Errorf("pixels of more frames than were asked for: %v", err)
	}
}

func TestTextOfAPictureCannotHurt(t *testing.T) {
	t.Parallel()
	a, err := analyze(t, open(t), "metadata", semblance.AnalyzeRequest{})
	if err != nil || a.Metadata.Make != "Can on [31m?" || len(a.Warnings[0]) > 1024 {
		t.Errorf("%q, %v", a.Metadata.Make, err)
	}
}

func TestANumberThatIsNoneIsAnErrorOfTheFile(t *testing.T) {
	t.Parallel()
	p := open(t)
	_, err := analyze(t, p, "nan", everything())
	if !errors.Is(err, semblance.Internal) {
		t.Errorf("%v", err)
	}
	mustWork(t, p)
}

func TestRequestsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	p := open(t)
	for name, req := range map[string]semblance.AnalyzeRequest{
		"a digest":        {Hashes: []hashing.Algorithm{hashing.AlgorithmMD5}},
		"no such engine":  {Engine: "eigenfaces"},
		"huge thumbnail":  {Thumbnail: 1 << 20},
		"many frames":     {Limits: semblance.Limits{Frames: 1 << 30}},
		"negative memory": {Limits: semblance.Limits{Memory: -1}},
	} {
		if _, err := analyze(t, p, "ok", req); !errors.Is(err, semblance.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := p.Analyze(t.Context(), dir, semblance.AnalyzeRequest{}); !errors.Is(err, semblance.Invalid) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := analyze(t, p, "ok and more than four bytes", semblance.AnalyzeRequest{Limits: semblance.Limits{Bytes: 4}}); !errors.Is(err, semblance.MediaTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
	if s := p.Stats(); s.Started != 0 {
		t.Errorf("a child was started for nothing: %+v", s)
	}
	for name, o := range map[string]worker.Options{
		"no program":    {},
		"workers":       {Program: "x", Workers: -1},
		"little memory": {Program: "x", Limits: semblance.Limits{Memory: 1}},
		"model path":    {Program: "x", Models: map[string]worker.Model{"m": {Path: "weights.onnx"}}},
	} {
		if _, err := worker.Open(t.Context(), o); !errors.Is(err, semblance.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProgramThatIsMissingOrBroken(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.Program = filepath.Join(t.TempDir(), "semblance-worker") })
	_, err := analyze(t, p, "ok", semblance.AnalyzeRequest{})
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "missing") || semblance.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	p = open(t, func(o *worker.Options) { o.Env = []string{childEnv + "=broken"} })
	_, err = analyze(t, p, "ok", semblance.AnalyzeRequest{})
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("%v", err)
	}
	if cause := errors.Unwrap(err); cause == nil || !strings.Contains(cause.Error(), "no such way") || !strings.Contains(cause.Error(), "exit status 7") {
		t.Errorf("cause %v", cause)
	}
}
