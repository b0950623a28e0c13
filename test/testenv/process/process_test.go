package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

func shell(t *testing.T, script string) *process.Process {
	t.Helper()
	p, err := process.Start(t.Context(), process.Spec{
		Name: t.Name(), Path: "/bin/sh", Args: []string{"-c", script}, LogFile: filepath.Join(t.TempDir(), "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

func waitForLog(t *testing.T, p *process.Process, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, 5*time.Millisecond, text, func(context.Context) error {
		if !strings.Contains(p.Tail(100), text) {
			return errors.New("not in the log yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStopIsOrderlyAndIdempotent(t *testing.T) {
	p := shell(t, `trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done`)
	waitForLog(t, p, "up")
	for range 2 {
		if err := p.Stop(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Tail(1); got != "bye" {
		t.Errorf("last line %q, want bye", got)
	}
	if p.Err() == nil || !strings.Contains(p.Err().Error(), "3") {
		t.Errorf("Err() = %v, want exit status 3", p.Err())
	}
}

func TestStopKillsTheGroupAfterTheGrace(t *testing.T) {
	p := shell(t, `trap '' TERM; sleep 1000 & echo child=$!; echo up; wait; wait`)
	waitForLog(t, p, "up")
	_, rest, _ := strings.Cut(p.Tail(10), "child=")
	child, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err = process.WaitFor(ctx, 5*time.Millisecond, "end of the child", func(context.Context) error {
		if alive(child) && !zombie(child) {
			return errors.New("alive")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// zombie tells whether a process has ended without being reaped (a container without an init keeps those).
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

// A death is an end that nobody asked for, and stays one when somebody stops what is dead.
func TestDied(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		end    func(*process.Process) error
		want   bool
	}{
		"by itself": {"exit 3", func(p *process.Process) error { <-p.Done(); return nil }, true},
		"stopped":   {"sleep 1000", func(p *process.Process) error { return p.Stop(time.Minute) }, false},
		"killed":    {"sleep 1000", (*process.Process).Kill, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := shell(t, tt.script)
			if p.Died() && !tt.want {
				t.Error("it died while it ran")
			}
			if err := tt.end(p); err != nil {
				t.Fatal(err)
			}
			for _, again := range []func() error{func() error { return p.Stop(time.Minute) }, p.Kill} {
				if got := p.Died(); got != tt.want {
					t.Errorf("Died: %t, want %t", got, tt.want)
				}
				if err := again(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestPausedProcessCanBeStopped(t *testing.T) {
	p := shell(t, `trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done`)
	waitForLog(t, p, "up")
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if p.Err() != nil {
		t.Errorf("Err() = %v, want an orderly end", p.Err())
	}
}

// A shell that is starting a program when it is paused waits for its child to execute that.
func TestPauseOfAProcessThatStartsPrograms(t *testing.T) {
	p := shell(t, `echo up; while :; do /bin/true; done`)
	waitForLog(t, p, "up")
	for range 100 {
		if err := p.Pause(); err != nil {
			t.Fatal(err)
		}
		if err := p.Resume(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWaitReadyReportsAnEarlyEnd(t *testing.T) {
	p := shell(t, `echo "cannot bind"; exit 7`)
	err := p.WaitReady(t.Context(), time.Millisecond, func(context.Context) error { return errors.New("no answer") })
	for _, want := range []string{t.Name(), "exit status 7", "cannot bind", "no answer"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

func TestWaitForReturnsTheLastError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	cause := errors.New("still no")
	err := process.WaitFor(ctx, time.Millisecond, "a miracle", func(context.Context) error { return cause })
	if !errors.Is(err, cause) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a miracle") {
		t.Errorf("got %v", err)
	}
}

func TestUnshareRunsTheProgramInNamespaces(t *testing.T) {
	flags := []string{"--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		flags = append(flags, "--map-root-user")
	}
	p, err := process.Start(t.Context(), process.Spec{
		Name: "unshared", Path: "/bin/sh", Args: []string{"-c", "echo pid=$$"}, Unshare: flags,
		LogFile: filepath.Join(t.TempDir(), "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if got := p.Tail(1); got != "pid=1" {
		t.Errorf("log says %q (%v), want pid=1", got, p.Err())
	}
}

func TestServiceRestarts(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "ready")
	s := &process.Service{
		Spec: process.Spec{Name: "svc", Path: "/bin/sh", Args: []string{"-c", "touch " + marker + "; sleep 1000"},
			LogFile: filepath.Join(dir, "log")},
		Ready: func(context.Context) error {
			_, err := os.Stat(marker)
			return err
		},
	}
	if err := s.Kill(); err == nil {
		t.Error("killing a service that never ran should fail")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := s.Process().Pid()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := s.Process().Pid(); second == first || alive(first) {
		t.Errorf("first life %d, second %d", first, second)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port, err := process.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d twice", port)
		}
		seen[port] = true
	}
}
