package kubevirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Namespace is where Harvester runs KubeVirt; Harvester's mutating webhook looks for the KubeVirt object there.
const Namespace = "harvester-system"

// HandlerServiceAccount is virt-handler's: virt-api drops status changes of VMIs by anybody who isn't KubeVirt.
const HandlerServiceAccount = "kubevirt-handler"

// Options of KubeVirt.
type Options struct {
	ControlPlane *kube.ControlPlane
	// API and Controller are the paths of virt-api and virt-controller.
	API, Controller string
	// Manifests are those of this KubeVirt version.
	Manifests *Manifests
}

// KubeVirt is a running KubeVirt without virt-handler.
type KubeVirt struct {
	// API and Controller can be killed, paused and restarted on their own.
	API, Controller *process.Service
}

// Start installs RBAC, webhooks and the aggregated API, and runs both programs. The CRDs, and those of CDI,
// must be there already, and so must the namespace: virt-api and virt-controller wait for kinds for ever.
// On failure nothing keeps running.
func Start(ctx context.Context, o Options) (*KubeVirt, error) {
	kv := &KubeVirt{}
	if err := kv.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("kubevirt: %w", err), kv.Stop())
	}
	return kv, nil
}

func (kv *KubeVirt) start(ctx context.Context, o Options) error {
	base, err := o.base()
	if err != nil {
		return err
	}
	if err := kube.Create(ctx, o.ControlPlane.Client, base...); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return kv.startAPI(gctx, o) })
	g.Go(func() error { return kv.startController(gctx, o) })
	return g.Wait()
}

// base is all but the webhooks, which would block everything before virt-api answers.
func (o Options) base() ([]*unstructured.Unstructured, error) {
	objects, err := kube.Decode(fmt.Appendf(nil, `
apiVersion: v1
kind: ConfigMap
metadata: {name: kubevirt-ca, namespace: %[1]s}
data: {ca-bundle: %[2]q}
---
# The API server resolves the service to localhost, and so reaches virt-api on loopback.
apiVersion: v1
kind: Service
metadata: {name: virt-api, namespace: %[1]s}
spec: {type: ExternalName, externalName: localhost}
---
# Harvester: deploy/charts/harvester/values.yaml (kubevirt.spec.configuration), and software emulation.
apiVersion: kubevirt.io/v1
kind: KubeVirt
metadata: {name: kubevirt, namespace: %[1]s}
spec:
  configuration:
    vmRolloutStrategy: LiveUpdate
    vmStateStorageClass: vmstate-persistence
    developerConfiguration:
      useEmulation: true
      featureGates: [CPUManager, DeclarativeHotplugVolumes, ExpandDisks, EnableVirtioFsConfigVolumes, HostDevices]
    network:
      defaultNetworkInterface: bridge
      permitBridgeInterfaceOnPodNetwork: true
      binding: {managedtap: {domainAttachmentType: managedTap}}
  workloadUpdateStrategy: {workloadUpdateMethods: [LiveMigrate]}
# Without a phase KubeVirt ignores the configuration.
status: {phase: Deployed, defaultArchitecture: amd64}
`, Namespace, o.ControlPlane.CA.PEM))
	return append(objects, o.Manifests.RBAC...), err
}

func (kv *KubeVirt) startAPI(ctx context.Context, o Options) error {
	cp := o.ControlPlane
	kubeconfig, err := cp.KubeconfigFor(ctx, Namespace, "kubevirt-apiserver")
	if err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	serving, err := cp.CA.Issue(
		kube.Leaf{Name: "virt-api", CommonName: "virt-api", DNSNames: []string{"virt-api." + Namespace + ".svc"}})
	if err != nil {
		return err
	}
	handler, err := cp.CA.Issue(
		kube.Leaf{Name: "virt-handler-client", CommonName: "kubevirt.io:system:client:virt-handler"})
	if err != nil {
		return err
	}
	c, err := httpClient(cp)
	if err != nil {
		return err
	}
	kv.API = &process.Service{
		Spec: inNamespace(process.Spec{Name: "virt-api", LogFile: cp.LogFile("virt-api")}, o.API,
			"--kubeconfig="+kubeconfig,
			"--listen=127.0.0.1", fmt.Sprintf("--port=%d", port),
			"--tls-cert-file="+serving.CertFile, "--tls-key-file="+serving.KeyFile,
			"--handler-cert-file="+handler.CertFile, "--handler-key-file="+handler.KeyFile,
		),
		Ready: kube.Healthy(c, fmt.Sprintf("https://127.0.0.1:%d/apis/subresources.kubevirt.io/v1/healthz", port)),
	}
	if err := kv.API.Start(ctx); err != nil {
		return err
	}
	return kube.Create(ctx, cp.Client, o.Manifests.registrations(int64(port), cp.CA.PEM)...)
}

func (kv *KubeVirt) startController(ctx context.Context, o Options) error {
	cp := o.ControlPlane
	kubeconfig, err := cp.KubeconfigFor(ctx, Namespace, "kubevirt-controller")
	if err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	pair, err := cp.CA.Issue(kube.Leaf{Name: "virt-controller", CommonName: "virt-controller"})
	if err != nil {
		return err
	}
	c, err := httpClient(cp)
	if err != nil {
		return err
	}
	kv.Controller = &process.Service{
		Spec: inNamespace(process.Spec{Name: "virt-controller", LogFile: cp.LogFile("virt-controller")}, o.Controller,
			"--kubeconfig="+kubeconfig,
			"--listen=127.0.0.1", fmt.Sprintf("--port=%d", port),
			"--prom-cert-file="+pair.CertFile, "--prom-key-file="+pair.KeyFile,
			"--launcher-image=world.invalid/virt-launcher:v1", // nobody ever pulls it
			"--exporter-image=world.invalid/virt-exportserver:v1",
			// It ends when it can't renew its lease, and in a cluster a kubelet would start it again. Tests take the API server
			// away for a while, which on a busy machine is longer than KubeVirt's ten seconds.
			"--leader-elect-lease-duration=10m", "--leader-elect-renew-deadline=9m",
		),
		Ready: leading(c, fmt.Sprintf("https://127.0.0.1:%d/leader", port)),
	}
	return kv.Controller.Start(ctx)
}

// Stop ends both programs and waits for their end.
func (kv *KubeVirt) Stop() error {
	var g errgroup.Group
	for _, s := range []*process.Service{kv.API, kv.Controller} {
		if s != nil {
			g.Go(s.Stop)
		}
	}
	return g.Wait()
}

// inNamespace completes a Spec so that the program believes to run in a pod of Namespace: KubeVirt takes
// its namespace from the service account's files and from nowhere else, so it gets them, in a mount
// namespace of its own.
func inNamespace(s process.Spec, program string, args ...string) process.Spec {
	const script = `mount -t tmpfs none /var/run && d=/var/run/secrets/kubernetes.io/serviceaccount &&
mkdir -p $d && printf %s "$1" >$d/namespace && shift && exec "$@"`
	s.Path = "/bin/sh"
	s.Args = append([]string{"-c", script, "sh", Namespace, program}, args...)
	s.Unshare = []string{"--mount"}
	if os.Geteuid() != 0 {
		s.Unshare = append(s.Unshare, "--map-root-user")
	}
	return s
}

func httpClient(cp *kube.ControlPlane) (*http.Client, error) {
	return rest.HTTPClientFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: cp.CA.PEM}})
}
