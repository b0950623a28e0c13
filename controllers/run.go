package controllers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/go-logr/zapr"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/finish"
)

// Config is what the controller command is started with.
type Config struct {
	// Kubeconfig is the path of a kubeconfig; empty: in-cluster.
	Kubeconfig string
	// Metrics is how metrics are served.
	Metrics MetricsConfig
	// ProbeAddress is where to serve the probes; "0": not at all.
	ProbeAddress string
	// PprofAddress is where to serve Go's profiles, an address of this host alone; empty: not at all.
	PprofAddress string
	// Namespaces are those whose pools are the controller's; empty: all.
	Namespaces []string
	// LeaderElect keeps all but one replica waiting.
	LeaderElect bool
	// LeaderElectionNamespace is where the lease lives; empty: the controller's own namespace.
	LeaderElectionNamespace string
	// Workers is how many members are reconciled at the same time.
	Workers int
	// GCInterval and GCGracePeriod are the interval and the grace period of the garbage collector (controllers/gc).
	GCInterval, GCGracePeriod time.Duration
	// PurgeTimeout is how long the removal of a member waits for a Nomad that can't be reached.
	PurgeTimeout time.Duration
	// NomadCredentialsDir holds files that override the environment (nomadlink.DefaultConfig); empty: there are none.
	NomadCredentialsDir string
	// NomadAuthTokenFile holds the JWT to log in with where the default connection names an auth method; empty: there is
	// none.
	NomadAuthTokenFile string
	// NomadAddresses are what isn't dialled for a Nomad that a pool names.
	NomadAddresses nomadlink.Addresses
	// Log is how to log.
	Log ctrlzap.Options
}

// shutdownTimeout is how long the manager waits for its controllers when the process is asked to end. They finish the
// writes that they have sent (internal/finish), and begin no others; then the lease is given away.
const shutdownTimeout = 10 * time.Second

// ParseFlags reads the flags of the controller command.
func ParseFlags(args []string) (Config, error) {
	var c Config
	fs := flag.NewFlagSet("controller", flag.ContinueOnError)
	fs.StringVar(&c.Kubeconfig, "kubeconfig", "", "path of a kubeconfig; unset: the Pod's own service account")
	c.Metrics.bindFlags(fs)
	fs.StringVar(&c.ProbeAddress, "health-probe-bind-address", ":8081",
		"address to serve /healthz and /readyz on; 0: none")
	bindPprofAddress(fs, &c.PprofAddress)
	fs.Func("namespaces",
		"namespaces whose pools and members are looked after, separated by commas; unset: all. The controller needs the rights of the ClusterRole nomad-harvester-controller-namespaces in these alone, and no other controller may look after them",
		func(text string) (err error) { c.Namespaces, err = kube.ParseNamespaces(text); return err })
	fs.BoolVar(&c.LeaderElect, "leader-elect", true, "let one of several replicas work at a time")
	fs.StringVar(&c.LeaderElectionNamespace, "leader-election-namespace", "",
		"namespace of the lease; unset: the Pod's own")
	fs.IntVar(&c.Workers, "workers", 16, "members that are reconciled at the same time")
	fs.DurationVar(&c.GCInterval, "gc-interval", 5*time.Minute,
		"time between two searches for Nomad nodes, claims and Secrets of members whose NomadNode is gone; 0: none")
	fs.DurationVar(&c.GCGracePeriod, "gc-grace-period", 15*time.Minute,
		"how long these must have been without a NomadNode and without a VM, at every search, before they are removed; begins anew when the controller starts")
	fs.DurationVar(&c.PurgeTimeout, "purge-timeout", node.DefaultPurgeTimeout,
		"for how long the removal of a member whose deletion was asked for, or whose VM is gone, waits for a Nomad that can't be asked, before it goes on without and leaves the node to Nomad's own garbage collection")
	fs.StringVar(&c.NomadCredentialsDir, "nomad-credentials-dir", "",
		"directory with the files NOMAD_ADDR, NOMAD_TOKEN, ca.crt and so on, as a Secret is mounted; each counts before the environment variable, and is read again when it changes; unset: the environment alone")
	fs.StringVar(&c.NomadAuthTokenFile, "nomad-auth-token-file", "",
		"file with a ServiceAccount's token, to log in to Nomad with where AUTH_METHOD names an auth method beside NOMAD_ADDR; read again for each login")
	bindCIDRs(fs, &c.NomadAddresses.Denied, nomadlink.DeniedCIDRsFlag,
		"ranges of addresses, separated by commas, that aren't dialled for a Nomad that a pool names in spec.nomad.address, whatever its name leads to: those of the cluster's Pods and Services. Loopback, link-local, unspecified and multicast addresses and the Kubernetes API server's aren't anyway")
	bindCIDRs(fs, &c.NomadAddresses.Allowed, nomadlink.AllowedCIDRsFlag,
		"ranges of addresses that are dialled for them all the same; link-local ones and the Kubernetes API server's never are")
	c.Log.BindFlags(fs)
	err := fs.Parse(args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: the controller takes flags only", fs.Arg(0))
	}
	return c, err
}

// bindCIDRs adds a flag that may be given several times.
func bindCIDRs(fs *flag.FlagSet, to *[]netip.Prefix, name, usage string) {
	fs.Func(name, usage, func(text string) error {
		cidrs, err := nomadlink.ParseCIDRs(text)
		*to = append(*to, cidrs...)
		return err
	})
}

// Run runs the controllers until the context ends. The connection to Nomad that pools may leave unset comes from
// NomadCredentialsDir and the environment: NOMAD_ADDR, NOMAD_TOKEN or AUTH_METHOD, and so on.
func Run(ctx context.Context, c Config) error {
	zl := newLogger(c.Log)
	defer func() { _ = zl.Sync() }() // stderr can't always be synced
	defer redirectStdLog(zl)()
	log := zapr.NewLogger(zl)
	ctrl.SetLogger(log)
	klog.SetLogger(log)

	defaults := func() (nomadlink.Config, error) {
		return nomadlink.DefaultConfig(c.NomadCredentialsDir, c.NomadAuthTokenFile, os.Getenv)
	}
	if _, err := defaults(); err != nil &&
		c.NomadCredentialsDir == "" { // the environment doesn't change by itself; a Secret may
		return err
	}
	rc, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("--kubeconfig: %w", err)
	}
	// The API server's priority and fairness says how much is too much. A limit of ours would make a hundred members wait
	// for each other while the API server is idle.
	rc.QPS = -1
	rc.Wrap(finish.Writes)
	mgr, err := ctrl.NewManager(rc, ctrl.Options{
		Scheme:                        kube.Scheme(),
		Cache:                         CacheOptions(c.Namespaces),
		Metrics:                       c.Metrics.options(),
		HealthProbeBindAddress:        c.ProbeAddress,
		PprofBindAddress:              c.PprofAddress,
		LeaderElection:                c.LeaderElect,
		LeaderElectionID:              "nomad-harvester.harvesterhci.io",
		LeaderElectionNamespace:       c.LeaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       new(shutdownTimeout),
	})
	if err != nil {
		return fmt.Errorf("setting up: %w", err)
	}
	err = errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("caches", cachesSynced(mgr.GetCache())),
		Add(ctx, mgr, defaults, c))
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// cachesSynced is the check that what the controllers decide by has been read once. Whoever waits for the lease is
// ready as well.
func cachesSynced(c cache.Cache) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !c.WaitForCacheSync(ctx) {
			return errors.New("the caches have not been filled yet")
		}
		return nil
	}
}
