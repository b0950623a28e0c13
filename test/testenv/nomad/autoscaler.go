package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// AutoscalerOptions say how to run a Nomad Autoscaler agent with the target plugin under test.
type AutoscalerOptions struct {
	// Bin is the path of the nomad-autoscaler binary.
	Bin string
	// Dir holds configuration, plugin directory, policies and log; made if missing, kept by Stop.
	Dir string
	// NomadAddr and NomadToken are those of the Nomad server.
	NomadAddr, NomadToken string
	// CACert, ClientCert and ClientKey are PEM files, all empty without TLS.
	CACert, ClientCert, ClientKey string
	// PluginBin is linked as <plugin_dir>/harvester.
	PluginBin string
	// PluginConfig is the `config` of the target block.
	PluginConfig map[string]string
	// PluginEnv is added to the environment of the agent, which the plugin inherits.
	PluginEnv []string
	// Policies maps file names (ending in .hcl) to the HCL of scaling policies.
	Policies map[string]string
	// PrometheusAddr adds the APM `prometheus` with that address; empty leaves it out.
	PrometheusAddr string
	// Namespace is the one whose jobs' scaling blocks are policies as well; empty: "default".
	Namespace string
	// LockTTL and LockDelay are those of the lock by which agents in HA agree on who leads; a LockTTL of 0: no HA.
	LockTTL, LockDelay time.Duration
}

// Autoscaler is a running Nomad Autoscaler agent.
type Autoscaler struct {
	// Addr is the address of its HTTP API (/v1/health, /v1/agent/reload, /v1/metrics).
	Addr string
	// LogFile receives its log at level TRACE, that of the plugin included.
	LogFile string
	// PolicyDir is where policies are; the agent takes added and removed files on SIGHUP, edited ones on Restart.
	PolicyDir string

	service *process.Service

	mu       sync.Mutex
	children map[int]childID // every plugin process seen; some may be orphans by now
}

// StartAutoscaler starts an agent and returns when its health endpoint answers: soon the plugin is launched and
// configured then, or the agent exits. In HA the agent that doesn't lead answers as well, and has no plugin.
func StartAutoscaler(ctx context.Context, o AutoscalerOptions) (*Autoscaler, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	a, err := newAutoscaler(o)
	if err != nil {
		return nil, fmt.Errorf("configure nomad-autoscaler: %w", err)
	}
	if err := a.service.Start(ctx); err != nil {
		return nil, fmt.Errorf("start nomad-autoscaler: %w", err)
	}
	a.recordChildren()
	return a, nil
}

func newAutoscaler(o AutoscalerOptions) (*Autoscaler, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	config := autoscalerConfig{AutoscalerOptions: o, Port: port, PluginDir: filepath.Join(dir, "plugins"),
		PolicyDir: filepath.Join(dir, "policies")}
	file := filepath.Join(dir, "autoscaler.hcl")
	if err := config.write(file); err != nil {
		return nil, err
	}
	a := &Autoscaler{
		Addr:      fmt.Sprintf("http://127.0.0.1:%d", port),
		LogFile:   filepath.Join(dir, "autoscaler.log"),
		PolicyDir: config.PolicyDir,
		children:  map[int]childID{},
	}
	a.service = &process.Service{
		Spec: process.Spec{
			Name:    "nomad-autoscaler",
			Path:    o.Bin,
			Args:    []string{"agent", "-config", file},
			Env:     append(cleanEnv(os.Environ()), o.PluginEnv...),
			Dir:     dir,
			LogFile: a.LogFile,
		},
		Ready: a.healthy,
		Grace: 5 * time.Second,
	}
	return a, nil
}

func (a *Autoscaler) healthy(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Addr+"/v1/health", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", response.Status)
	}
	return nil
}

// Process is the present life of the agent.
func (a *Autoscaler) Process() *process.Process { return a.service.Process() }

// PluginPids are the plugin processes that live now: those of the agent, and orphans of earlier ones.
func (a *Autoscaler) PluginPids() []int {
	a.recordChildren()
	a.mu.Lock()
	defer a.mu.Unlock()
	var pids []int
	for pid, id := range a.children {
		if now, err := readChild(pid); err == nil && now.started == id.started {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// Crash kills the agent alone, as the kernel's OOM killer would. Its plugin is orphaned: it finishes the
// call it is in, and stays until Stop.
func (a *Autoscaler) Crash() error {
	a.recordChildren()
	agent := a.Process()
	if err := killOne(agent.Pid()); err != nil {
		return err
	}
	<-agent.Done()
	return nil
}

// Restart ends the agent if it runs, starts it again and waits for its health. After a Crash the orphaned
// plugin stays: stopping the dead agent would end it, being of the same process group.
func (a *Autoscaler) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	a.recordChildren()
	again := a.service.Restart
	if !a.service.Running() {
		again = a.service.Start
	}
	if err := again(ctx); err != nil {
		return fmt.Errorf("restart nomad-autoscaler: %w", err)
	}
	a.recordChildren()
	return nil
}

// Stop ends the agent and every plugin process that it ever started.
func (a *Autoscaler) Stop() error {
	a.recordChildren()
	errs := []error{a.service.Stop()}
	for _, pid := range a.PluginPids() {
		errs = append(errs, killOne(pid))
	}
	return errors.Join(errs...)
}
