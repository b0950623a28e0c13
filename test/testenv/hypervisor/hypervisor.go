package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	virtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// GuestKind says what runs in the guests.
type GuestKind string

const (
	// AgentGuest is a Nomad client per guest, of the user's Nomad or the stand-in, in namespaces of its own. The default.
	AgentGuest GuestKind = "agent"
	// SimulatedGuest is a simulated Nomad client per guest, all in this process.
	SimulatedGuest GuestKind = "simulated"
	// QemuGuest is a whole machine per guest, which takes about a minute to boot when it is emulated.
	QemuGuest GuestKind = "qemu"
)

// Options say what hosts to stand in for.
type Options struct {
	// RESTConfig is an administrator's, for pods and nodes.
	RESTConfig *rest.Config
	// HandlerRESTConfig is that of KubeVirt's service account kubevirt-handler: virt-api drops changes of an
	// instance's status by anybody else. Nil means RESTConfig, for a cluster without virt-api.
	HandlerRESTConfig *rest.Config
	// Hosts is the number of nodes, named host-1 and so on; 0 means 1.
	Hosts int
	// Dir holds disks and logs. Disks are removed with their claims, and by Stop; logs stay.
	Dir string
	// Guest is the kind of all guests; empty means AgentGuest.
	Guest GuestKind
	// NomadBin is the nomad binary for AgentGuest.
	NomadBin string
	// Qemu is what a QemuGuest boots from.
	Qemu guest.Qemu
	// Names are what the guests' DNS knows of Nomad servers.
	Names guest.Names
	// Boot is the time from an instance's Running to the start of services in the guest.
	Boot time.Duration
	// Shutdown is the time a guest takes to power off when asked to, at most its grace period. A QemuGuest takes the time
	// that it takes.
	Shutdown time.Duration
	// Log receives errors; the zero value writes them to Dir/logs/hypervisor.log.
	Log logr.Logger
}

// launcher boots guests of one kind. Implemented by guest.Agent, guest.Simulated and guest.Qemu.
type launcher interface {
	Boot(context.Context, guest.Machine) (guest.Guest, error)
}

// Hypervisor is a set of running hosts. Guests end with it.
type Hypervisor struct {
	client.Client               // pods, nodes, claims
	instances     client.Client // instances, as virt-handler
	direct        client.Reader // past the cache
	options       Options
	launcher      launcher
	hosts         *hosts
	domains       *domains
	faults        *faults
	trace         *trace

	cancel  context.CancelFunc
	running sync.WaitGroup // manager and heartbeats
	ended   <-chan struct{}
	ending  sync.WaitGroup // guests powering down
}

// Start registers the nodes and returns when pods and instances are being served.
func Start(ctx context.Context, o Options) (*Hypervisor, error) {
	o.Hosts = max(1, o.Hosts)
	h, manager, err := newHypervisor(o)
	if err != nil {
		return nil, fmt.Errorf("configure hypervisor: %w", err)
	}
	life, cancel := context.WithCancel(logr.NewContext(context.Background(), h.options.Log))
	h.cancel, h.ended = cancel, life.Done()
	failed := make(chan error, 1)
	h.running.Go(func() {
		err := manager.Start(life)
		if err != nil {
			h.options.Log.Error(err, "hypervisor ended")
		}
		failed <- err
	})
	synced := make(chan error, 1)
	go func() { synced <- h.register(ctx, manager) }()
	select {
	case err = <-failed:
		err = errors.Join(errors.New("manager ended at start"), err)
	case err = <-synced:
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start hypervisor: %w", err), h.Stop())
	}
	h.running.Go(func() { h.beat(life) })
	return h, nil
}

func newHypervisor(o Options) (*Hypervisor, ctrl.Manager, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	o.Dir = dir
	if err := os.MkdirAll(o.logDir(), 0o755); err != nil {
		return nil, nil, err
	}
	if o.Log.GetSink() == nil {
		o.Log = logToFile(filepath.Join(o.logDir(), "hypervisor.log"))
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), virtv1.AddToScheme(scheme)); err != nil {
		return nil, nil, err
	}
	manager, err := ctrl.NewManager(unlimited(o.RESTConfig), ctrl.Options{
		Scheme:  scheme,
		Logger:  o.Log,
		Metrics: metricsserver.Options{BindAddress: "0"},
		// Several environments may live in one process.
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true), MaxConcurrentReconciles: 8},
	})
	if err != nil {
		return nil, nil, err
	}
	h := &Hypervisor{Client: manager.GetClient(), instances: manager.GetClient(), direct: manager.GetAPIReader(),
		options: o, faults: &faults{}, trace: &trace{}}
	if o.HandlerRESTConfig != nil {
		if h.instances, err = client.New(unlimited(o.HandlerRESTConfig), client.Options{Scheme: scheme}); err != nil {
			return nil, nil, err
		}
	}
	switch o.Guest {
	case AgentGuest, "":
		h.launcher = guest.Agent{Bin: o.NomadBin, Names: o.Names}
	case SimulatedGuest:
		h.launcher = guest.Simulated{Names: o.Names}
	case QemuGuest:
		h.launcher = o.Qemu
	default:
		return nil, nil, fmt.Errorf("unknown kind of guest %q", o.Guest)
	}
	h.hosts = newHosts(o.Hosts)
	h.domains = newDomains()
	return h, manager, errors.Join(h.watchPods(manager), h.watchInstances(manager), h.watchClaims(manager))
}

// unlimited lifts the client's own rate limit: the stand-in mustn't be the bottleneck.
func unlimited(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS = -1
	return config
}

func (o Options) logDir() string  { return filepath.Join(o.Dir, "logs") }
func (o Options) diskDir() string { return filepath.Join(o.Dir, "disks") }

// logToFile opens the file for each line: there are few, and none may be lost.
func logToFile(file string) logr.Logger {
	return funcr.New(func(prefix, args string) {
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return
		}
		defer func() { _ = f.Close() }()
		_, _ = fmt.Fprintln(f, prefix, args)
	}, funcr.Options{LogTimestamp: true})
}

// Stop powers off every guest and removes their disks. The nodes stay, and become unresponsive.
func (h *Hypervisor) Stop() error {
	h.cancel()
	h.running.Wait()
	h.ending.Wait()
	all := h.domains.all()
	errs := make([]error, len(all)+1)
	var off sync.WaitGroup
	for i, d := range all {
		off.Go(func() { errs[i] = d.powerOff(false) })
	}
	off.Wait()
	errs[len(all)] = os.RemoveAll(h.options.diskDir())
	return errors.Join(errs...)
}
