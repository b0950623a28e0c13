package kube

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

func (cp *ControlPlane) startEtcd(ctx context.Context, bin string) (clientURL string, err error) {
	clientURL, err = loopbackURL("http")
	if err != nil {
		return "", err
	}
	peerURL, err := loopbackURL("http")
	if err != nil {
		return "", err
	}
	cp.Etcd = &process.Service{
		Spec: process.Spec{Name: "etcd", Path: bin, LogFile: cp.LogFile("etcd"), Args: []string{
			"--name=environment",
			"--data-dir=" + filepath.Join(cp.dir, "etcd"),
			"--listen-client-urls=" + clientURL,
			"--advertise-client-urls=" + clientURL,
			"--listen-peer-urls=" + peerURL,
			"--initial-advertise-peer-urls=" + peerURL,
			"--initial-cluster=environment=" + peerURL,
			"--unsafe-no-fsync", // a crash of the machine may lose data, a crash of etcd doesn't
			"--log-level=warn",
		}},
		Ready: Healthy(http.DefaultClient, clientURL+"/health"),
	}
	return clientURL, cp.Etcd.Start(ctx)
}

func (cp *ControlPlane) startAPIServer(ctx context.Context, bin, etcdURL string) error {
	flags, port, err := cp.apiServerCertificates()
	if err != nil {
		return err
	}
	cp.url = fmt.Sprintf("https://127.0.0.1:%d", port)
	admin, err := cp.CA.Issue(Leaf{Name: "admin", CommonName: "admin", Organizations: []string{"system:masters"}})
	if err != nil {
		return err
	}
	cp.RESTConfig = &rest.Config{Host: cp.url, QPS: -1, TLSClientConfig: rest.TLSClientConfig{
		CAData: cp.CA.PEM, CertFile: admin.CertFile, KeyFile: admin.KeyFile,
	}}
	if cp.Kubeconfig, err = cp.certKubeconfig("admin", admin); err != nil {
		return err
	}
	c, err := rest.HTTPClientFor(cp.RESTConfig)
	if err != nil {
		return fmt.Errorf("client of the API server: %w", err)
	}
	cp.APIServer = &process.Service{
		Spec: process.Spec{Name: "kube-apiserver", Path: bin, LogFile: cp.LogFile("kube-apiserver"), Args: append(flags,
			"--etcd-servers="+etcdURL,
			"--bind-address=127.0.0.1",
			fmt.Sprintf("--secure-port=%d", port),
			"--advertise-address=127.0.0.1",
			"--endpoint-reconciler-type=none", // it refuses to publish a loopback address
			"--service-cluster-ip-range=10.0.0.0/24",
			"--authorization-mode=RBAC",
			"--allow-privileged=true", // virt-launcher pods
		)},
		Ready: Healthy(c, cp.url+"/readyz"),
	}
	return cp.APIServer.Start(ctx)
}

// apiServerCertificates makes the CA and every key of the API server, and returns the flags that name them.
func (cp *ControlPlane) apiServerCertificates() (flags []string, port int, err error) {
	pki := cp.PKIDir()
	if cp.CA, err = NewCA(pki, "ca"); err != nil {
		return nil, 0, err
	}
	frontProxyCA, err := NewCA(pki, "front-proxy-ca")
	if err != nil {
		return nil, 0, err
	}
	frontProxy, err := frontProxyCA.Issue(Leaf{Name: "front-proxy-client", CommonName: "front-proxy-client"})
	if err != nil {
		return nil, 0, err
	}
	serving, err := cp.CA.Issue(
		Leaf{Name: "kube-apiserver", CommonName: "kube-apiserver",
			DNSNames: []string{"kubernetes", "kubernetes.default.svc"}},
	)
	if err != nil {
		return nil, 0, err
	}
	private, public, err := newSigningKey(pki)
	if err != nil {
		return nil, 0, err
	}
	if port, err = process.FreePort(); err != nil {
		return nil, 0, err
	}
	return []string{
		"--cert-dir=" + pki,
		"--tls-cert-file=" + serving.CertFile,
		"--tls-private-key-file=" + serving.KeyFile,
		"--client-ca-file=" + cp.CA.File,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + public,
		"--service-account-signing-key-file=" + private,
		"--requestheader-client-ca-file=" + frontProxyCA.File,
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + frontProxy.CertFile,
		"--proxy-client-key-file=" + frontProxy.KeyFile,
	}, port, nil
}

// controllers are those that VMs, claims, pods, RBAC and admission policies need. Not among them: all
// that deals with nodes, and the volume binder, whose place harvester-lite's provisioner takes.
var controllers = []string{
	"namespace-controller",
	"garbage-collector-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"root-ca-certificate-publisher-controller",
	"disruption-controller",
	"pod-garbage-collector-controller",
	"resourcequota-controller",
	"clusterrole-aggregation-controller",
	"persistentvolumeclaim-protection-controller",
	"validatingadmissionpolicy-status-controller",
}

func (cp *ControlPlane) startControllerManager(ctx context.Context, bin string) error {
	pair, err := cp.CA.Issue(Leaf{Name: "kube-controller-manager", CommonName: "system:kube-controller-manager"})
	if err != nil {
		return err
	}
	kubeconfig, err := cp.certKubeconfig("kube-controller-manager", pair)
	if err != nil {
		return err
	}
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	c, err := rest.HTTPClientFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: cp.CA.PEM}})
	if err != nil {
		return fmt.Errorf("client of the controller manager: %w", err)
	}
	cp.ControllerManager = &process.Service{
		Spec: process.Spec{
			Name:    "kube-controller-manager",
			Path:    bin,
			LogFile: cp.LogFile("kube-controller-manager"),
			Args: []string{
				"--kubeconfig=" + kubeconfig,
				"--authentication-kubeconfig=" + kubeconfig,
				"--authorization-kubeconfig=" + kubeconfig,
				"--bind-address=127.0.0.1",
				fmt.Sprintf("--secure-port=%d", port),
				"--tls-cert-file=" + pair.CertFile,
				"--tls-private-key-file=" + pair.KeyFile,
				"--leader-elect=false",
				"--service-account-private-key-file=" + filepath.Join(cp.PKIDir(), "service-account.key"),
				"--root-ca-file=" + cp.CA.File,
				// As in a real cluster: admission policies and webhooks tell the garbage collector by its name.
				"--use-service-account-credentials=true",
				"--controllers=" + strings.Join(controllers, ","),
				"--kube-api-qps=200", "--kube-api-burst=400",
			},
		},
		Ready: Healthy(c, fmt.Sprintf("https://127.0.0.1:%d/healthz", port)),
		// Asked to end, it waits seconds for its controllers. It keeps no state, so there's nothing to wait for.
		Grace: 200 * time.Millisecond,
	}
	return cp.ControllerManager.Start(ctx)
}

func loopbackURL(scheme string) (string, error) {
	port, err := process.FreePort()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port), nil
}
