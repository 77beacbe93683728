package worker_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"semblance"
	"semblance/worker"
)

// needCage skips what only Linux can do.
func needCage(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("%s has no cage for workers", runtime.GOOS)
	}
}

// doomedParent opens a pool, says which child it has, and waits to be killed.
func doomedParent() {
	self, err := os.Executable()
	if err != nil {
		os.Exit(1)
	}
	p, err := worker.Open(context.Background(), worker.Options{Program: self, Workers: 1, Env: []string{childEnv + "=serve"}})
	if err != nil {
		os.Exit(1)
	}
	f, err := os.Open(os.Args[1])
	if err != nil {
		os.Exit(1)
	}
	go func() {
		for p.Stats().Started == 0 {
			time.Sleep(time.Millisecond)
		}
		os.Stdout.WriteString("started\n")
	}()
	p.Analyze(context.Background(), f, semblance.AnalyzeRequest{})
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	t.Parallel()
	needCage(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, order(t, "spin").Name())
	cmd.Env = append(os.Environ(), childEnv+"=parent")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
		t.Fatalf("%q, %v", line, err)
	}
	children := childrenOf(t, cmd.Process.Pid)
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	cmd.Process.Kill()
	cmd.Wait()
	deadline := time.Now().Add(20 * time.Second)
	for syscall.Kill(children[0], 0) == nil {
		if b, err := os.ReadFile("/proc/" + strconv.Itoa(children[0]) + "/stat"); err != nil || strings.Contains(string(b), ") Z ") {
			return // nobody has reaped it yet
		}
		if time.Now().After(deadline) {
			t.Fatal("the child outlived its parent")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("this kernel does not list children")
		}
		for _, f := range strings.Fields(string(b)) {
			n, _ := strconv.Atoi(f)
			children = append(children, n)
		}
	}
	return children
}

func TestNothingIsPossibleInsideTheCage(t *testing.T) {
	t.Parallel()
	needCage(t)
	r, err := open(t).Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, f := range r.Cage {
		t.Run(strings.ReplaceAll(f.Name, " ", "-"), func(t *testing.T) {
			if !f.Holds && r.Facts.Cage.Landlock == 0 {
				t.Skipf("this kernel has no Landlock: %s", f.Detail)
			}
			if !f.Holds && !r.Facts.Cage.Seccomp {
				t.Skipf("this kernel has no seccomp: %s", r.Facts.Cage.SeccompWhy)
			}
			if !f.Holds {
				t.Errorf("%s", f.Detail)
			}
		})
		tried++
	}
	if tried < 25 || r.Facts.Cage.Landlock > 0 && r.Facts.Cage.Seccomp && !r.Caged() {
		t.Errorf("%d findings: %+v", tried, r.Cage)
	}
	if r.Start <= 0 || r.Resident <= 0 {
		t.Errorf("start %v, resident %d", r.Start, r.Resident)
	}
}

func TestReportSaysWhichEnginesWorkAndWhyNot(t *testing.T) {
	t.Parallel()
	r, err := open(t).Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Engines) != len(semblance.Engines()) {
		t.Fatalf("%+v", r.Engines)
	}
	for _, e := range r.Engines {
		works := e.Name == semblance.YuNetMobileFaceNet // see checkEngine
		if e.Works != works || works == (e.Why != "") || !works && e.Hint != "Run semblance models pull." {
			t.Errorf("%+v", e)
		}
	}
}
