package client

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// rawExec runs tasks as processes of the node, without isolation.
type rawExec struct{}

func (rawExec) start(t *task) (process, error) {
	command, _ := t.spec.Config["command"].(string)
	if command == "" {
		return nil, errors.New("missing command")
	}
	for _, dir := range []string{"local", "secrets", "tmp"} {
		if err := os.MkdirAll(filepath.Join(t.dir(), dir), 0o777); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(command, arguments(t)...) //nolint:noctx // it outlives whatever started it
	cmd.Dir, cmd.Env = t.dir(), environment(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a session of its own: signals to the agent aren't for it
	var err error
	if cmd.Stdout, err = logFile(t, "stdout"); err != nil {
		return nil, err
	}
	if cmd.Stderr, err = logFile(t, "stderr"); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("failed to launch command with executor: %w", err)
	}
	p := &child{pid: cmd.Process.Pid, ended: make(chan struct{})}
	go func() {
		p.err = outcome(cmd.Wait())
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // whatever it left in its group ends with it
		for _, f := range []any{cmd.Stdout, cmd.Stderr} {
			_ = f.(*os.File).Close()
		}
		close(p.ended)
	}()
	return p, nil
}

func outcome(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &exitError{exit.ExitCode()}
	default:
		return &exitError{-1}
	}
}

func logFile(t *task, stream string) (*os.File, error) {
	path := filepath.Join(t.alloc.dir, "alloc", "logs", t.spec.Name+"."+stream+".0")
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

func arguments(t *task) []string {
	var args []string
	list, _ := t.spec.Config["args"].([]any)
	for _, a := range list {
		args = append(args, os.Expand(fmt.Sprint(a), func(name string) string { return expand(t, name) }))
	}
	return args
}

// expand fills in Nomad's own variables, and leaves others, such as a shell's, as they are.
func expand(t *task, name string) string {
	for _, kv := range environment(t) {
		if key, value, _ := strings.Cut(kv, "="); key == name && strings.HasPrefix(key, "NOMAD_") {
			return value
		}
	}
	if len(name) == 1 {
		return "$" + name
	}
	return "${" + name + "}"
}

// environment is what a task is told of itself, and what of the agent's own it may see.
func environment(t *task) []string {
	var env []string
	for _, kv := range os.Environ() {
		if key, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(key, "NOMAD_") && !strings.HasPrefix(key, "CONSUL_") &&
			!strings.HasPrefix(key, "VAULT_") {
			env = append(env, kv)
		}
	}
	a := t.alloc.spec.Load()
	for key, value := range map[string]string{
		"NOMAD_ALLOC_DIR": filepath.Join(t.alloc.dir, "alloc"), "NOMAD_TASK_DIR": filepath.Join(t.dir(), "local"),
		"NOMAD_SECRETS_DIR": filepath.Join(t.dir(), "secrets"),
		"NOMAD_ALLOC_ID":    a.ID, "NOMAD_ALLOC_NAME": a.Name,
		"NOMAD_TASK_NAME": t.spec.Name, "NOMAD_GROUP_NAME": a.TaskGroup,
		"NOMAD_JOB_ID": a.JobID, "NOMAD_JOB_NAME": state.Value(a.Job.Name), "NOMAD_NAMESPACE": a.Namespace,
		"NOMAD_REGION": t.alloc.client.config.Region,
		"NOMAD_DC":     t.alloc.client.config.Datacenter, "NOMAD_SHORT_ALLOC_ID": a.ID[:8],
	} {
		env = append(env, key+"="+value)
	}
	if _, index, ok := strings.Cut(strings.TrimPrefix(a.Name, a.JobID+"."+a.TaskGroup), "["); ok {
		env = append(env, "NOMAD_ALLOC_INDEX="+strings.TrimSuffix(index, "]"))
	}
	for key, value := range t.spec.Env {
		env = append(env, key+"="+value)
	}
	return env
}

// child is a process that this agent started.
type child struct {
	pid   int
	ended chan struct{}
	err   error
}

func (p *child) done() <-chan struct{} { return p.ended }
func (p *child) result() error         { return p.err }
func (p *child) kill()                 { _ = syscall.Kill(-p.pid, syscall.SIGKILL) }

func (p *child) signal(name string) { _ = syscall.Kill(p.pid, signalOf(name)) }

func (p *child) handle() *handle {
	started, err := startOf(p.pid)
	if err != nil {
		return nil // it has ended
	}
	return &handle{PID: p.pid, Started: started, Boot: bootID()}
}

func signalOf(name string) syscall.Signal {
	switch strings.ToUpper(name) {
	case "SIGTERM":
		return syscall.SIGTERM
	case "SIGKILL":
		return syscall.SIGKILL
	case "SIGHUP":
		return syscall.SIGHUP
	case "SIGQUIT":
		return syscall.SIGQUIT
	case "SIGUSR1":
		return syscall.SIGUSR1
	default:
		return syscall.SIGINT
	}
}

// recover finds a process that outlived its agent. How it ends can't be told, as its parent is another.
func (rawExec) recover(h *handle) process {
	if h == nil || h.Boot != bootID() {
		return nil
	}
	if started, err := startOf(h.PID); err != nil || started != h.Started {
		return nil
	}
	p := &orphan{child{pid: h.PID, ended: make(chan struct{})}, h}
	go func() {
		for {
			if started, err := startOf(h.PID); err != nil || started != h.Started {
				close(p.ended)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return p
}

type orphan struct {
	child
	found *handle
}

func (p *orphan) handle() *handle { return p.found }

// startOf is when a process started: field 22 of /proc/<pid>/stat. A zombie counts as gone.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name, field 2, is in parentheses and may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return "", os.ErrNotExist
	}
	return fields[19], nil
}

func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
