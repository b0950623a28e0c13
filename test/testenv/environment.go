package testenv

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/canary"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubevirt"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Options say which environment to start. The zero value is a useful one.
type Options struct {
	// Dir holds all files of the environment. It must be empty or missing, and Stop leaves it. Empty means a
	// temporary directory, which Stop removes unless Keep is set.
	Dir string
	// Keep leaves a temporary directory behind, for its logs. $NOMAD_HARVESTER_KEEP_WORLD sets it too.
	Keep bool
	// Progress receives a line for each step; nil discards them.
	Progress io.Writer

	// ACL and TLS turn on Nomad's ACL system and mutual TLS.
	ACL, TLS bool
	// Introduction is Nomad's client_introduction.enforcement: none, warn, strict, or empty for its default.
	Introduction string
	// NoNomad leaves Nomad out.
	NoNomad bool
	// KindsOnly leaves out the programs of KubeVirt and Harvester, and the hypervisor: their kinds and fixtures are there,
	// and objects of these kinds stay as they are written. For thousands of members, which nobody could boot here.
	KindsOnly bool

	// Harvester is which harvester-lite runs; empty means binaries.HarvesterLite.
	Harvester binaries.Tool

	// Hosts is the number of hypervisor hosts; zero means 3.
	Hosts int
	// Guest is what a booted VM is; empty means a Nomad agent in namespaces of its own.
	Guest hypervisor.GuestKind
	// BootDelay and ShutdownDelay are how long guests take to boot and to power off.
	BootDelay, ShutdownDelay time.Duration

	// Installed says that whoever starts the environment installs the product: InstallProduct does nothing.
	Installed bool
	// Product is a nomad-harvester binary; empty means $NOMAD_HARVESTER_PRODUCT, or that it's built from this repository
	// when first needed.
	Product string
}

// Environment is a running environment. Fields are read-only and nil or empty where Options left the part out.
type Environment struct {
	// Dir holds all files; logs/ those of the control planes.
	Dir string

	// Kubeconfig, RESTConfig and Client are a cluster administrator's. Client knows the built-in kinds,
	// KubeVirt's and ours; it reads without a cache.
	Kubeconfig string
	RESTConfig *rest.Config
	Client     client.Client
	// Kube is the Kubernetes control plane, for kubeconfigs of service accounts.
	Kube *kube.ControlPlane
	// APIFaults is the proxy through which controllers reach the API server.
	APIFaults *faultproxy.Proxy

	// NomadAddr and NomadToken are the HTTP address, with scheme, and the management token (empty without ACL).
	NomadAddr, NomadToken string
	// Nomad is an API client with that token.
	Nomad *api.Client
	// NomadServer is the server, for its certificates and RPC address.
	NomadServer *nomad.Server

	// Secrets are those of this environment: what the product writes must not hold one.
	Secrets *canary.Set
	written canary.Seen // what is in any object that the product writes, or that is made of one of its

	// Hypervisor stands in for scheduler, kubelets and virt-handlers.
	Hypervisor *hypervisor.Hypervisor

	options   Options
	bins      map[binaries.Tool]string
	qemu      guest.Qemu
	kubevirt  *kubevirt.KubeVirt
	harvester *process.Service
	temporary bool
	failed    bool        // tests did
	died      atomic.Bool // a program of the platform did, by itself
	logs      []io.Closer

	mu           sync.Mutex
	controllers  []*Controller
	autoscalers  []*nomad.Autoscaler
	prometheuses []*Prometheus
	installed    bool

	build    sync.Once
	product  string
	buildErr error

	// following ends with the environment.
	following context.Context
	unfollow  context.CancelFunc

	stop    sync.Once
	stopErr error
}

// Controllers are all that were started, running or not.
func (w *Environment) Controllers() []*Controller {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.controllers)
}

// ProductLogs are the files into which the controllers, and the autoscalers with our plugin, have written.
func (w *Environment) ProductLogs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var files []string
	for _, c := range w.controllers {
		files = append(files, c.Spec.LogFile)
	}
	for _, a := range w.autoscalers {
		files = append(files, a.LogFile)
	}
	return files
}

// Scheme knows the built-in kinds, KubeVirt's and ours.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	return s, errors.Join(clientgoscheme.AddToScheme(s), kubevirtv1.AddToScheme(s), v1alpha1.AddToScheme(s))
}

// Program is the path of a program that this environment runs.
func (w *Environment) Program(t binaries.Tool) string { return w.bins[t] }

// prepare makes the directory and the Environment around it.
func prepare(o Options) (*Environment, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	o.Progress = &syncWriter{w: o.Progress}
	o.Hosts, o.Harvester = cmp.Or(o.Hosts, 3), cmp.Or(o.Harvester, binaries.HarvesterLite)
	if os.Getenv("NOMAD_HARVESTER_KEEP_WORLD") != "" {
		o.Keep = true
	}
	w := &Environment{Dir: o.Dir, Secrets: &canary.Set{}, options: o, temporary: o.Dir == ""}
	w.following, w.unfollow = context.WithCancel(context.Background())
	var err error
	if w.temporary {
		w.Dir, err = os.MkdirTemp("", "nomad-harvester-testenv-")
		return w, err
	}
	if w.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.Dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(w.Dir)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("environment directory %s isn't empty", w.Dir)
	}
	return w, err
}

// Stop ends everything in reverse order of its start, waits for it, and removes a temporary directory. It
// may be called any number of times.
func (w *Environment) Stop() error {
	w.stop.Do(func() {
		w.unfollow()
		w.stopErr = w.end()
	})
	return w.stopErr
}

func (w *Environment) end() error {
	var errs []error
	for _, layer := range w.layers() {
		var g errgroup.Group
		for _, stop := range layer {
			g.Go(stop)
		}
		errs = append(errs, g.Wait())
	}
	for _, log := range w.logs {
		errs = append(errs, log.Close())
	}
	return errors.Join(append(errs, w.clear())...)
}

// layers are what to stop, the highest first; what is in one layer doesn't need the rest of it.
func (w *Environment) layers() [][]func() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var product, below, platform, base []func() error
	for _, a := range w.autoscalers {
		product = append(product, a.Stop)
	}
	for _, c := range w.controllers {
		product = append(product, c.Stop)
	}
	for _, p := range w.prometheuses {
		product = append(product, p.Stop)
	}
	if w.Hypervisor != nil {
		below = append(below, w.Hypervisor.Stop)
	}
	if w.APIFaults != nil {
		below = append(below, w.APIFaults.Close)
	}
	if w.NomadServer != nil {
		platform = append(platform, w.NomadServer.Stop)
	}
	if w.harvester != nil {
		platform = append(platform, w.harvester.Stop)
	}
	if w.kubevirt != nil {
		platform = append(platform, w.kubevirt.Stop)
	}
	if w.Kube != nil {
		base = append(base, w.Kube.Stop)
	}
	return [][]func() error{product, below, platform, base}
}

// clear removes a temporary directory, but leaves the logs of failed tests.
func (w *Environment) clear() error {
	switch {
	case !w.temporary || w.options.Keep:
		return nil
	case w.failed:
		return leaveLogs(w.Dir)
	default:
		return os.RemoveAll(w.Dir)
	}
}

// leaveLogs removes all files below dir that aren't logs.
func leaveLogs(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".log" {
			return err
		}
		return os.Remove(path)
	})
}

// Tests is what TestMain gets; *testing.M is one.
type Tests interface{ Run() int }

// Main is for TestMain: it starts an environment for all tests of a package, hands it to use, runs the tests, stops the
// environment and returns the exit code. When tests fail it leaves the logs and says where. That a program of the
// platform ends by itself is a failure too, and so is a secret in anything that the product wrote.
func Main(m Tests, o Options, use func(*Environment)) int {
	w, err := Start(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := w.watchForLeaks(); err != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, w.Stop()))
		return 1
	}
	use(w)
	ctx, cancel := context.WithCancel(context.Background())
	go w.watch(ctx)
	code := m.Run()
	cancel()
	if leaked := w.leaked(); code == 0 && (leaked || w.died.Load()) {
		code = 1
	}
	w.failed = code != 0
	if err := errors.Join(w.Stop(), w.traces()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if w.failed || w.options.Keep {
		fmt.Fprintln(os.Stderr, "logs left in", w.Dir)
	}
	return code
}

// traces is an error if something of a stopped environment is left, but its logs if it may leave them. Every program of
// a environment is started with paths below the environment's directory.
func (w *Environment) traces() error {
	var errs []error
	if _, err := os.Stat(w.Dir); w.temporary && !w.failed && !w.options.Keep && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, fmt.Errorf("%s is left of the environment", w.Dir))
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	errs = append(errs, err)
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(w.Dir)) { // a process may end while we look
			errs = append(errs,
				fmt.Errorf("a process is left of the environment: %s", bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return errors.Join(errs...)
}

type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
