package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	// Name identifies the process in error messages.
	Name string
	// Path is the program. With Unshare set it's still the program, not unshare.
	Path string
	Args []string
	// Env is the complete environment but for TMPDIR, see LogFile; nil inherits ours.
	Env []string
	// Dir is the working directory; empty means ours.
	Dir string
	// LogFile receives stdout and stderr, appended; empty discards them. Temporary files go into a directory tmp beside
	// it, to be removed with it: programs that are killed leave theirs.
	LogFile string
	// Unshare holds flags of unshare(1): if non-empty, the program runs as `unshare <flags> -- path args`.
	Unshare []string
}

// Process is one life of a started program.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}
	err  error // written before done is closed
	stop sync.Mutex
	// asked is set before Stop or Kill ends the process.
	asked atomic.Bool
}

// Start runs the program. The context only guards the start itself: the process lives until it ends by
// itself, is stopped, or our own process dies (SIGKILL by parent-death signal).
func Start(ctx context.Context, s Spec) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	cmd := command(context.WithoutCancel(ctx), s)
	if s.LogFile != "" {
		log, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", s.Name, err)
		}
		defer func() { _ = log.Close() }()
		cmd.Stdout, cmd.Stderr = log, log
		if err := privateTemp(cmd, s.LogFile); err != nil {
			return nil, fmt.Errorf("start %s: %w", s.Name, err)
		}
	}
	if err := spawn(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p := &Process{spec: s, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// privateTemp gives the program a directory for temporary files beside its log.
func privateTemp(cmd *exec.Cmd, logFile string) error {
	dir, err := filepath.Abs(filepath.Join(filepath.Dir(logFile), "tmp"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	cmd.Env = append(cmd.Environ(), "TMPDIR="+dir)
	return nil
}

func command(ctx context.Context, s Spec) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Path, s.Args...)
	if len(s.Unshare) > 0 {
		args := append([]string{}, s.Unshare...)
		args = append(args, "--", s.Path)
		cmd = exec.CommandContext(ctx, "unshare", append(args, s.Args...)...)
	}
	cmd.Env, cmd.Dir = s.Env, s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Name is the name given in the Spec.
func (p *Process) Name() string { return p.spec.Name }

// Pid is the process ID, and the ID of its process group. With Unshare it's that of unshare itself.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and been reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells how the process ended: nil while it runs and after exit code 0.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Died reports if the process has ended although neither Stop nor Kill was called.
func (p *Process) Died() bool {
	select {
	case <-p.done:
		return !p.asked.Load()
	default:
		return false
	}
}

// Stop asks the process group to end with SIGTERM, kills it after the grace period, and waits for its
// end. It may be called any number of times, also on a paused or finished process.
func (p *Process) Stop(grace time.Duration) error {
	p.stop.Lock()
	defer p.stop.Unlock()
	select {
	case <-p.done:
		return p.reapGroup()
	default:
	}
	p.asked.Store(true)
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.signal(syscall.SIGCONT); err != nil { // a paused process can't handle SIGTERM
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.reapGroup()
	case <-timer.C:
		return p.Kill()
	}
}

// Kill ends the process group with SIGKILL and waits for the end of the process.
func (p *Process) Kill() error {
	select {
	case <-p.done: // by itself, perhaps
	default:
		p.asked.Store(true)
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Pause stops the process group with SIGSTOP: it keeps its sockets and answers nothing. The kernel stops each thread
// when that is about to run next, so Pause waits until all threads of the first process are. The others are stopped
// after it: a process that starts a program with vfork can't be stopped until its child has executed that program,
// which a child that is stopped never does.
func (p *Process) Pause() error {
	if err := p.kill(p.Pid(), syscall.SIGSTOP); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), pauseTimeout)
	defer cancel()
	err := WaitFor(ctx, time.Millisecond, p.spec.Name+" to be paused", func(context.Context) error {
		return stopped(p.Pid())
	})
	if err != nil {
		return err
	}
	return p.signal(syscall.SIGSTOP)
}

// pauseTimeout is far more than the kernel needs.
const pauseTimeout = 10 * time.Second

// stopped is an error while a thread of the process isn't stopped. A process that is gone is stopped.
func stopped(pid int) error {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	for _, file := range stats {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		if fields := StatFields(stat); len(fields) > 0 && fields[0] != "T" && fields[0] != "Z" {
			return fmt.Errorf("%s is in state %s", file, fields[0])
		}
	}
	return nil
}

// Resume continues a paused process group.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

// reapGroup ends what the leader of the group left behind.
func (p *Process) reapGroup() error { return p.signal(syscall.SIGKILL) }

// signal reaches the whole process group.
func (p *Process) signal(sig syscall.Signal) error { return p.kill(-p.Pid(), sig) }

func (p *Process) kill(pid int, sig syscall.Signal) error {
	err := syscall.Kill(pid, sig)
	if err != nil && !errors.Is(err, syscall.ESRCH) { // no such group: it has ended already
		return fmt.Errorf("send %s to %s (pid %d): %w", sig, p.spec.Name, p.Pid(), err)
	}
	return nil
}
