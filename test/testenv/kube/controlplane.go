package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/canary"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Options of a control plane.
type Options struct {
	// Etcd, APIServer and ControllerManager are the paths of the programs.
	Etcd, APIServer, ControllerManager string
	// Dir receives certificates, kubeconfigs, data and logs. It must exist.
	Dir string
	// Secrets takes in every token that is made; nil: none does.
	Secrets *canary.Set
}

// ControlPlane is a running Kubernetes without nodes.
type ControlPlane struct {
	// Etcd, APIServer and ControllerManager can be killed, paused and restarted on their own.
	Etcd, APIServer, ControllerManager *process.Service
	// CA signed the API server's certificate; it also issues those of the servers behind it.
	CA *CA
	// Kubeconfig is the file of a cluster administrator (group system:masters, by client certificate).
	Kubeconfig string
	// RESTConfig is the same administrator, without client-side rate limits.
	RESTConfig *rest.Config
	// Client is the administrator's client for unstructured and built-in objects.
	Client client.Client

	dir, url, etcdURL string
	secrets           *canary.Set
}

// Start brings the control plane up. On failure nothing keeps running.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	cp := &ControlPlane{dir: o.Dir, secrets: o.Secrets}
	if err := cp.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("kubernetes: %w", err), cp.Stop())
	}
	return cp, nil
}

func (cp *ControlPlane) start(ctx context.Context, o Options) error {
	for _, dir := range []string{"pki", "logs", "kubeconfig"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	var err error
	if cp.etcdURL, err = cp.startEtcd(ctx, o.Etcd); err != nil {
		return err
	}
	if err := cp.startAPIServer(ctx, o.APIServer, cp.etcdURL); err != nil {
		return err
	}
	cp.Client, err = client.New(cp.RESTConfig, client.Options{})
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return cp.startControllerManager(ctx, o.ControllerManager)
}

// Stop ends the three programs in reverse order and waits for their end.
func (cp *ControlPlane) Stop() error {
	var errs []error
	for _, s := range []*process.Service{cp.ControllerManager, cp.APIServer, cp.Etcd} {
		if s != nil {
			errs = append(errs, s.Stop())
		}
	}
	return errors.Join(errs...)
}

// URL is the address of the API server.
func (cp *ControlPlane) URL() string { return cp.url }

// LogFile is where a program of this environment writes its output.
func (cp *ControlPlane) LogFile(name string) string {
	return filepath.Join(cp.dir, "logs", name+".log")
}

// PKIDir is the directory of all certificates and keys.
func (cp *ControlPlane) PKIDir() string { return filepath.Join(cp.dir, "pki") }

// Healthy returns a readiness check: a GET of the URL answers 200.
func Healthy(c *http.Client, url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", url, resp.Status)
		}
		return nil
	}
}
