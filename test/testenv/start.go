package testenv

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/harvester"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubevirt"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// startTimeout bounds the start of an environment whose programs are built: about 20 s on two idle cores.
const startTimeout = 3 * time.Minute

// Start builds what isn't built yet, which may take half an hour once, and starts an environment. The context
// bounds only the start. On failure nothing keeps running, and the error says which program failed, why,
// and how its log ends.
func Start(ctx context.Context, o Options) (*Environment, error) {
	w, err := prepare(o)
	if err != nil {
		return nil, fmt.Errorf("test environment: %w", err)
	}
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("test environment: %w", err), w.Stop())
	}
	return w, nil
}

func (w *Environment) start(ctx context.Context) error {
	quietRuntime()
	tools, err := binaries.Ensure(ctx, w.options.Progress, w.tools()...)
	if err != nil {
		return err
	}
	chart, err := binaries.HarvesterCRDDir(ctx, w.options.Progress, w.options.Harvester)
	if err != nil {
		return err
	}
	w.bins = tools
	if err := w.prepareGuests(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	var manifests *kubevirt.Manifests
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.step("kubernetes", func() error { return w.startKubernetes(gctx) }) })
	g.Go(func() (err error) {
		manifests, err = kubevirt.Generate(gctx, w.bins[binaries.KVManifests], filepath.Join(w.Dir, "kubevirt"))
		return err
	})
	if !w.options.NoNomad {
		g.Go(func() error { return w.step("nomad", func() error { return w.startNomad(gctx) }) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := w.step("kinds and fixtures", func() error { return w.populate(ctx, manifests, chart) }); err != nil {
		return err
	}
	if w.options.KindsOnly {
		return nil
	}
	return w.startPlatform(ctx, manifests)
}

func (w *Environment) tools() []binaries.Tool {
	tools := []binaries.Tool{binaries.Etcd, binaries.KubeAPIServer, binaries.KubeControllerManager, binaries.KVManifests}
	if !w.options.KindsOnly {
		tools = append(tools, binaries.VirtAPI, binaries.VirtController, w.options.Harvester)
	}
	if !w.options.NoNomad {
		tools = append(tools, binaries.Nomad)
	}
	return tools
}

// step runs a part of the start and reports how long it took.
func (w *Environment) step(name string, do func() error) error {
	began := time.Now()
	if err := do(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w.options.Progress, "%s up after %.1fs\n", name, time.Since(began).Seconds())
	return nil
}

func (w *Environment) startKubernetes(ctx context.Context) error {
	var err error
	w.Kube, err = kube.Start(ctx, kube.Options{
		Etcd: w.bins[binaries.Etcd], APIServer: w.bins[binaries.KubeAPIServer],
		ControllerManager: w.bins[binaries.KubeControllerManager],
		Dir:               w.Dir, Secrets: w.Secrets,
	})
	if err != nil {
		return err
	}
	w.Kubeconfig, w.RESTConfig = w.Kube.Kubeconfig, w.Kube.RESTConfig
	scheme, err := Scheme()
	if err != nil {
		return err
	}
	if w.Client, err = client.New(w.RESTConfig, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return w.startProxy()
}

// startProxy puts the fault proxy in front of the API server, with a certificate of the same CA.
func (w *Environment) startProxy() error {
	pair, err := w.Kube.CA.Issue(kube.Leaf{Name: "fault-proxy", CommonName: "fault-proxy"})
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		return err
	}
	target, err := url.Parse(w.Kube.URL())
	if err != nil {
		return err
	}
	transport, err := rest.TransportFor(
		&rest.Config{Host: w.Kube.URL(), TLSClientConfig: rest.TLSClientConfig{CAData: w.Kube.CA.PEM}})
	if err != nil {
		return err
	}
	w.APIFaults, err = faultproxy.Start(target, cert, transport)
	return err
}

// crowdedGrace is how late clients may be of which there are thousands in one process.
const crowdedGrace = time.Minute

func (w *Environment) startNomad(ctx context.Context) error {
	o := nomad.ServerOptions{
		Bin: w.bins[binaries.Nomad], Dir: filepath.Join(w.Dir, "nomad"),
		ACL: w.options.ACL, TLS: w.options.TLS, Introduction: w.options.Introduction, Secrets: w.Secrets,
	}
	if w.options.Guest == hypervisor.QemuGuest {
		o.Advertise, o.HeartbeatGrace = guest.QemuHost, emulatedGrace
	}
	if w.options.KindsOnly {
		o.HeartbeatGrace = crowdedGrace
	}
	s, err := nomad.StartServer(ctx, o)
	if err != nil {
		return err
	}
	w.NomadServer, w.NomadAddr, w.NomadToken, w.Nomad = s, s.Addr, s.Token, s.Client
	return nil
}

// populate installs the kinds of KubeVirt, Harvester and its neighbours, and what a cluster has before
// the first VM. Nobody's webhooks are registered yet.
func (w *Environment) populate(ctx context.Context, manifests *kubevirt.Manifests, chart string) error {
	namespaces, err := fixtures.Namespaces()
	if err != nil {
		return err
	}
	if err := kube.Create(ctx, w.Client, namespaces...); err != nil {
		return err
	}
	crds, err := harvester.CRDs(chart, manifests.CRDs)
	if err != nil {
		return err
	}
	if err := kube.InstallCRDs(ctx, w.Client, append(crds, manifests.CRDs...)...); err != nil {
		return err
	}
	objects, err := fixtures.Objects()
	if err != nil {
		return err
	}
	return kube.Create(ctx, w.Client, objects...)
}

// startPlatform starts KubeVirt, Harvester and the hypervisor below them.
func (w *Environment) startPlatform(ctx context.Context, manifests *kubevirt.Manifests) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return w.step("kubevirt", func() (err error) {
			w.kubevirt, err = kubevirt.Start(gctx, kubevirt.Options{
				ControlPlane: w.Kube, Manifests: manifests,
				API: w.bins[binaries.VirtAPI], Controller: w.bins[binaries.VirtController],
			})
			return err
		})
	})
	g.Go(func() error {
		return w.step("harvester", func() (err error) {
			w.harvester, err = harvester.Start(gctx, w.Kube, w.bins[w.options.Harvester], w.Dir)
			return err
		})
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return w.step("hypervisor", func() error { return w.startHypervisor(ctx) })
}

// NomadName is what the samples call the Nomad servers; the guests' DNS leads it to the environment's.
const NomadName = "nomad.example.com"

func (w *Environment) startHypervisor(ctx context.Context) error {
	handler, err := w.Kube.RESTConfigFor(ctx, kubevirt.Namespace, kubevirt.HandlerServiceAccount)
	if err != nil {
		return err
	}
	log, err := w.logger("hypervisor")
	if err != nil {
		return err
	}
	names := guest.Names{}
	if w.NomadServer != nil {
		names[NomadName] = w.NomadServer.RPCAddr
	}
	w.Hypervisor, err = hypervisor.Start(ctx, hypervisor.Options{
		RESTConfig: w.RESTConfig, HandlerRESTConfig: handler,
		Hosts: w.options.Hosts, Dir: filepath.Join(w.Dir, "guests"),
		Guest: w.options.Guest, NomadBin: w.bins[binaries.Nomad], Qemu: w.qemu, Names: names,
		Boot: w.options.BootDelay, Shutdown: w.options.ShutdownDelay,
		Log: log,
	})
	return err
}

// quietRuntime silences the global logger of controller-runtime, which otherwise complains that it wasn't set.
var quietRuntime = sync.OnceFunc(func() { ctrllog.SetLogger(logr.Discard()) })

// logger writes to a file beside the logs of the programs; Stop closes it.
func (w *Environment) logger(name string) (logr.Logger, error) {
	file, err := os.OpenFile(w.Kube.LogFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return logr.Discard(), err
	}
	w.logs = append(w.logs, file)
	return funcr.New(func(prefix, args string) {
		_, _ = fmt.Fprintln(file, time.Now().UTC().Format(time.RFC3339Nano), prefix, args)
	}, funcr.Options{}), nil
}
