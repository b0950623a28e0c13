package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// asAgent has this test program be an autoscaler's agent that does nothing but say that it is well.
const asAgent = "WORLD_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		fmt.Fprintln(os.Stderr, agent(os.Args[len(os.Args)-1]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var portInConfig = regexp.MustCompile(`bind_port\s*=\s*(\d+)`)

func agent(config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	port := portInConfig.FindSubmatch(text)
	if port == nil {
		return fmt.Errorf("%s has no port", config)
	}
	return http.ListenAndServe("127.0.0.1:"+string(port[1]), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

// fakeEnvironment runs shells that sleep in the place of Prometheus and the controller.
type fakeEnvironment struct {
	dir string

	mu    sync.Mutex
	calls []string
	last  *testenv.Controller
}

func (f *fakeEnvironment) called(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
}

// asked is what was asked of it, in a line.
func (f *fakeEnvironment) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, ", ")
}

// controller is the one that was started last.
func (f *fakeEnvironment) controller() *testenv.Controller {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (f *fakeEnvironment) InstallProduct(context.Context) error { f.called("install"); return nil }

func (f *fakeEnvironment) MetricsToken(context.Context) (string, error) { return "", nil }

func (f *fakeEnvironment) StartPrometheus(_ context.Context, targets ...string) (*testenv.Prometheus, error) {
	f.called("prometheus of %s", strings.Join(targets, " "))
	return &testenv.Prometheus{Addr: "http://127.0.0.1:9090"}, nil
}

func (f *fakeEnvironment) StartController(ctx context.Context, _ testenv.ControllerOptions) (*testenv.Controller, error) {
	f.called("controller")
	c := &testenv.Controller{MetricsURL: "https://127.0.0.1:1/metrics", Service: &process.Service{Spec: process.Spec{
		Name: "controller", Path: "/bin/sh", Args: []string{"-c", "echo begun; echo the last line; exec sleep 1000"},
		LogFile: filepath.Join(f.dir, "controller.log")}}}
	f.mu.Lock()
	f.last = c
	f.mu.Unlock()
	return c, c.Start(ctx)
}

func (f *fakeEnvironment) StartAutoscaler(ctx context.Context, o testenv.AutoscalerOptions) (*nomad.Autoscaler, error) {
	f.called("autoscaler with %q", o.PrometheusAddr)
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(f.dir, "autoscaler-")
	if err != nil {
		return nil, err
	}
	return nomad.StartAutoscaler(ctx, nomad.AutoscalerOptions{Bin: program, Dir: dir, NomadAddr: "http://127.0.0.1:1",
		PluginBin: program, PluginEnv: []string{asAgent + "=yes"}, PrometheusAddr: o.PrometheusAddr})
}
