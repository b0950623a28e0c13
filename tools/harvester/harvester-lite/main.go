// Command harvester-lite runs Harvester's own code, unmodified, in one small
// process beside a plain Kubernetes API server:
//
//   - every handler of Harvester's admission webhook (pkg/webhook/server),
//   - the VM controllers (pkg/controller/master/virtualmachine) and the
//     controller that creates the Settings.
//
// Ours is only what cannot run outside a Harvester cluster: serving and
// registering the webhook, for Harvester's own server listens on all interfaces
// and fixes port 443, and, behind --fake-provisioner, a stand-in for Longhorn.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/rancher/wrangler/v3/pkg/signals"
	"github.com/sirupsen/logrus"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// options are the command line.
type options struct {
	kubeconfig      string
	namespace       string
	listen          string
	readyFile       string
	controllerUser  string
	collectorUser   string
	workers         int
	fakeProvisioner bool
	debug           bool
}

func parse(args []string) (options, error) {
	var o options
	// A flag set of our own: controller-runtime owns -kubeconfig in the global one.
	fs := flag.NewFlagSet("harvester-lite", flag.ContinueOnError)
	fs.StringVar(&o.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig of a cluster administrator")
	fs.StringVar(&o.namespace, "namespace", "harvester-system", "namespace Harvester believes it runs in")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of the admission webhook; port 0 takes a free one")
	fs.StringVar(&o.readyFile, "ready-file", "", "file that appears, holding the webhook's address, when everything is up")
	fs.StringVar(&o.controllerUser, "controller-user", "system:serviceaccount:harvester-system:harvester", "user Harvester's controllers act as")
	fs.StringVar(&o.collectorUser, "gc-user", "system:serviceaccount:kube-system:generic-garbage-collector", "user the garbage collector acts as")
	fs.IntVar(&o.workers, "workers", 5, "workers of each controller")
	fs.BoolVar(&o.fakeProvisioner, "fake-provisioner", false, "stand in for Longhorn: mark claims of known storage classes Bound, without any volume")
	fs.BoolVar(&o.debug, "debug", false, "log at debug level")
	if err := fs.Parse(args); err != nil {
		return options{}, err
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2) // the flag set has said why
	}
	if o.debug {
		logrus.SetLevel(logrus.DebugLevel)
	}
	if err := run(signals.SetupSignalContext(), o); err != nil {
		logrus.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	began := time.Now()

	// The registration of an earlier run refuses every write while nobody
	// answers, our own Settings included.
	if err := unregister(ctx, config); err != nil {
		return fmt.Errorf("removing the registration of an earlier run: %w", err)
	}
	if err := startControllers(ctx, rest.CopyConfig(config), o); err != nil {
		return fmt.Errorf("starting Harvester's controllers: %w", err)
	}
	logrus.Infof("VM controllers run after %s", time.Since(began))
	if o.fakeProvisioner {
		if err := startFakeProvisioner(ctx, rest.CopyConfig(config)); err != nil {
			return fmt.Errorf("starting the fake provisioner: %w", err)
		}
	}
	hook, err := startWebhook(ctx, rest.CopyConfig(config), o)
	if err != nil {
		return fmt.Errorf("starting Harvester's webhook: %w", err)
	}
	logrus.Infof("webhook answers on %s after %s", hook.address, time.Since(began))
	if err := announce(o.readyFile, hook.address); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-hook.failed:
		return fmt.Errorf("webhook: %w", err)
	}
}

// announce writes the address to the ready file, whole or not at all.
func announce(file, address string) error {
	if file == "" {
		return nil
	}
	unfinished := file + ".unfinished"
	if err := os.WriteFile(unfinished, []byte(address+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(unfinished, file)
}
