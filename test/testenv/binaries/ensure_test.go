package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tool whose source is ours and needs no other module builds without network.
func offlineWorkshop(t *testing.T, source string) (*workshop, plan) {
	t.Helper()
	dir := sideModule(t, map[string]string{"go.mod": "module x\n\ngo 1.26\n", "go.sum": "", "cmd/main.go": source})
	shop := &workshop{cache: t.TempDir(), progress: &syncBuffer{}}
	p := sideTool(dir)
	p.path = filepath.Join(shop.cache, "bin", "cmd-1.0.0", "cmd")
	return shop, p
}

type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestBuildLeavesOneWorkingProgram(t *testing.T) {
	shop, p := offlineWorkshop(t, "package main\n\nfunc main() { println(\"hello\") }\n")
	if err := shop.build(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(p.path).CombinedOutput()
	if err != nil || string(output) != "hello\n" {
		t.Errorf("ran %q, %v", output, err)
	}
	entries, err := os.ReadDir(filepath.Dir(p.path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if output := shop.progress.(*syncBuffer).String(); !strings.Contains(output, "building cmd 1.0.0") ||
		!strings.Contains(output, "built cmd 1.0.0") {
		t.Errorf("progress: %q", output)
	}
}

func TestFailedBuildShowsCompilerAndLeavesNoProgram(t *testing.T) {
	shop, p := offlineWorkshop(t, "package main\n\nfunc main() { undefinedThing() }\n")
	err := shop.build(t.Context(), p)
	if err == nil || !strings.Contains(err.Error(), "undefinedThing") ||
		!strings.Contains(err.Error(), filepath.Join(shop.cache, "log")) {
		t.Errorf("error does not show what failed and where the log is: %v", err)
	}
	if isExecutable(p.path) {
		t.Error("a program was published")
	}
}

func never() bool { return false }

func TestLockWaitEndsWhenNothingIsLeftToBuild(t *testing.T) {
	shop := &workshop{cache: t.TempDir(), progress: &syncBuffer{}}
	unlock, err := shop.lock(t.Context(), never)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	leave, err := shop.lock(t.Context(), func() bool { return true })
	if err != nil {
		t.Fatalf("still waited for the lock: %v", err)
	}
	leave()
}

func TestLockLetsOneIn(t *testing.T) {
	shop := &workshop{cache: t.TempDir(), progress: &syncBuffer{}}
	var inside, worst int
	var mu sync.Mutex
	enter := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		inside += by
		worst = max(worst, inside)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			unlock, err := shop.lock(t.Context(), never)
			if err != nil {
				t.Error(err)
				return
			}
			enter(1)
			enter(-1)
			unlock()
		})
	}
	all.Wait()
	if worst != 1 {
		t.Errorf("%d builds at the same time", worst)
	}
}

func TestLockWaitEndsWithItsContext(t *testing.T) {
	shop := &workshop{cache: t.TempDir(), progress: &syncBuffer{}}
	unlock, err := shop.lock(t.Context(), never)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := shop.lock(ctx, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a held lock ended with %v", err)
	}
	if output := shop.progress.(*syncBuffer).String(); strings.Count(output, "waiting") != 1 {
		t.Errorf("progress: %q", output)
	}
	unlock()
	unlockAgain, err := shop.lock(t.Context(), never)
	if err != nil {
		t.Fatalf("lock not released: %v", err)
	}
	unlockAgain()
}

// A process that builds one tool after the other must not starve one that waits.
func TestLockGoesToTheOneThatWaits(t *testing.T) {
	progress := &syncBuffer{}
	shop := &workshop{cache: t.TempDir(), progress: progress}
	unlock, err := shop.lock(t.Context(), never)
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 2)
	var both sync.WaitGroup
	both.Go(func() {
		unlock, err := shop.lock(t.Context(), never)
		if err != nil {
			t.Error(err)
			return
		}
		order <- "waiter"
		unlock()
	})
	for !strings.Contains(progress.String(), "waiting") {
		runtime.Gosched()
	}
	unlock()
	both.Go(func() {
		unlock, err := shop.lock(t.Context(), never)
		if err != nil {
			t.Error(err)
			return
		}
		order <- "overtaker"
		unlock()
	})
	both.Wait()
	if first := <-order; first != "waiter" {
		t.Errorf("%s came first", first)
	}
}

func TestCachedToolIsNotBuiltAgain(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOMAD_HARVESTER_CACHE", t.TempDir())
	shop := &workshop{root: root, cache: os.Getenv("NOMAD_HARVESTER_CACHE")}
	p, err := shop.plan(VirtAPI)
	if err != nil {
		t.Fatal(err)
	}
	writeProgram(t, p.path, "exit 0")
	progress := &syncBuffer{}
	paths, err := Ensure(t.Context(), progress, VirtAPI)
	if err != nil || paths[VirtAPI] != p.path || progress.String() != "" {
		t.Errorf("got %v, %v, progress %q", paths, err, progress)
	}
}

func TestEnsureRefusesUnknownTool(t *testing.T) {
	if _, err := Ensure(t.Context(), nil, "kubelet"); err == nil {
		t.Error("no error for a tool without a recipe")
	}
}

func TestInstalledToolHasToFitExactly(t *testing.T) {
	p := plan{tool: Kubectl, release: "1.11.3"}
	for _, test := range []struct {
		prints  string
		use     bool
		chosen  bool
		wantErr bool
	}{
		{prints: "Client Version: v1.11.3", use: true},
		{prints: "Client Version: v1.11.3", use: true, chosen: true},
		{prints: "Client Version: v1.11.30"},
		{prints: "Client Version: v1.11.3-dev"},
		{prints: "Client Version: v1.10.5", chosen: true, wantErr: true},
	} {
		t.Run(fmt.Sprintf("%s chosen=%v", test.prints, test.chosen), func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "kubectl")
			writeProgram(t, program, "echo "+test.prints)
			t.Setenv("KUBECTL_BIN", "")
			if test.chosen {
				t.Setenv("KUBECTL_BIN", program)
			} else {
				t.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
			}
			got, err := installed(t.Context(), p)
			if (got == program) != test.use || (err != nil) != test.wantErr {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func writeProgram(t *testing.T, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
