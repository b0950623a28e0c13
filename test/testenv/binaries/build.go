package binaries

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	// reportEvery is how often a build that is still running says so.
	reportEvery = 15 * time.Second
	// tailLines is how much of a failed build's output its error shows.
	tailLines = 25
)

// build compiles one tool into the cache. The lock must be held. The program
// appears under its final name only when it is complete.
func (s *workshop) build(ctx context.Context, p plan) error {
	log, err := s.createLog(p)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
		return err
	}
	unfinished := p.path + ".unfinished"
	defer os.Remove(unfinished)

	fmt.Fprintf(s.progress, "building %s (about %.0f min on 2 cores)…\n", p, math.Ceil(p.typical.Minutes()))
	began := time.Now()
	stop := s.report(p, began)
	var env []string
	if s.row != nil && !p.inRoot {
		env = s.row.env
	}
	err = goCommand(ctx, p.dir, env, log, append([]string{"build", "-o", unfinished}, p.args()...)...)
	stop()
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s\n(all of it: %s)", p, err, process.Tail(log.Name(), tailLines), log.Name())
	}
	if err := os.Rename(unfinished, p.path); err != nil {
		return err
	}
	fmt.Fprintf(s.progress, "built %s in %s\n", p, time.Since(began).Round(time.Second))
	return nil
}

// report says every reportEvery that the build still runs, until it is stopped.
func (s *workshop) report(p plan, began time.Time) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(reportEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-ticker.C:
				fmt.Fprintf(s.progress, "  %s: building for %s\n", p, now.Sub(began).Round(time.Second))
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func (s *workshop) createLog(p plan) (*os.File, error) {
	dir := filepath.Join(s.cache, "log")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(dir, fmt.Sprintf("%s-%s.log", p.tool, p.release)))
}

// goCommand runs the go command in a module. What env says goes before the environment of every build.
func goCommand(ctx context.Context, dir string, env []string, output io.Writer, args ...string) error {
	cmd := goProcess(ctx, dir, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = output, output
	return cmd.Run()
}

// goProcess is the go command in a module. When ctx ends, the compilers it has
// started end with it.
func goProcess(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(buildEnv, "PWD="+dir)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
