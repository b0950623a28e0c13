package nomadtarget

import (
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad-autoscaler/plugins/base"
	"github.com/hashicorp/nomad-autoscaler/plugins/target"
	"github.com/hashicorp/nomad-autoscaler/sdk"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errNotConfigured is what Scale and Status return before the first good SetConfig.
var errNotConfigured = errors.New("the plugin has no configuration yet: SetConfig was not called, or failed")

// Target is the target plugin. Its methods may be called concurrently: the agent calls Status while a Scale of the
// same policy runs, and SetConfig again on reload while both run.
type Target struct {
	name   string
	log    hclog.Logger
	getenv func(string) string

	// client is swapped as a whole by SetConfig; calls under way keep the one they began with.
	client atomic.Pointer[client.Client]
	// jobPolicies: the scaling blocks of jobs may scale pools.
	jobPolicies atomic.Bool
	now         func() time.Time
	reported    journal
	seen        seenPools
	// background are the Events that are being written: nobody waits for these but tests.
	background sync.WaitGroup
}

var _ target.Target = (*Target)(nil)

// New returns a plugin that is known to the agent by name and logs to log. It can do nothing before SetConfig.
func New(log hclog.Logger, name string) *Target {
	return &Target{name: name, log: log, getenv: os.Getenv, now: time.Now}
}

// PluginInfo implements base.Base.
func (t *Target) PluginInfo() (*base.PluginInfo, error) {
	return &base.PluginInfo{Name: t.name, PluginType: sdk.PluginTypeTarget}, nil
}

// SetConfig implements base.Base: it validates the agent's target block and makes the client that later calls use. It
// never talks to the API server, because an error here ends the whole agent at its start. On error the former
// configuration stays in use. config holds the agent's Nomad token besides our own: it must never be logged.
func (t *Target) SetConfig(config map[string]string) (err error) {
	defer func() { err = scrub(err) }()
	defer t.recoverAs(&err, "SetConfig")

	conn, err := resolveConnection(config, t.getenv)
	if err != nil {
		return err
	}
	jobPolicies, err := allowsJobPolicies(config)
	if err != nil {
		return err
	}
	c, err := newClient(conn.rest)
	if err != nil {
		return conn.explain(err)
	}
	t.jobPolicies.Store(jobPolicies)
	t.client.Store(&c)
	t.seen.forget() // it may be another cluster's API server
	t.log.Info("configured", "api_server", redactedHost(conn.rest.Host), "from", conn.source)
	if len(conn.ignored) > 0 {
		t.log.Warn("some settings have no effect, because the connection comes from another one",
			"ignored", conn.ignored, "in_use", conn.source)
	}
	if conn.runs != "" {
		t.log.Warn("the kubeconfig has a program run for its token; use a token of a service account instead",
			"program", conn.runs, "in_use", conn.source)
	}
	return nil
}

// currentClient is the client of the last good SetConfig.
func (t *Target) currentClient() (client.Client, error) {
	if c := t.client.Load(); c != nil {
		return *c, nil
	}
	return nil, errNotConfigured
}

// recoverAs turns a panic into an error: a plugin that died stays dead until the agent is restarted (Nomad Autoscaler:
// plugins/manager, Dispense).
func (t *Target) recoverAs(err *error, call string) {
	if r := recover(); r != nil {
		t.logPanic(call, r)
		*err = errors.New("internal error in " + call + "; the plugin's log has the details")
	}
}

func (t *Target) logPanic(call string, r any) {
	t.log.Error("internal error", "call", call, "panic", r, "stack", string(debug.Stack()))
}
