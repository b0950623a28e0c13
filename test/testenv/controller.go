package testenv

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// nomadPolicy is what the controller needs, and no more: without read-job in every namespace Nomad shows
// it no allocations, and busy nodes would look empty.
const nomadPolicy = `
node { policy = "write" }
namespace "*" { capabilities = ["read-job"] }
`

// Verbose is the argument that has a controller write all that it can, in which no secret may be.
const Verbose = "--zap-log-level=10"

// ControllerOptions say how to run the controller.
type ControllerOptions struct {
	// Args are added to the command line, after those that the environment gives.
	Args []string
	// Env is added to the environment: "KEY=value".
	Env []string
	// PlainMetrics serves metrics by http to everybody, for programs that read them all the time: whoever reads them by
	// TLS has the controller ask the API server for his rights.
	PlainMetrics bool
}

// Controller is a running nomad-harvester controller.
type Controller struct {
	*process.Service
	// MetricsURL is where it serves its metrics, with a certificate of the environment's CA unless they are plain.
	MetricsURL string

	environment *Environment
}

// StartController installs the product, builds it if need be, and runs a controller as its service
// account, through APIFaults. Each call runs another one, of which one leads. The environment stops them all.
func (w *Environment) StartController(ctx context.Context, o ControllerOptions) (*Controller, error) {
	c, err := w.newController(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	if err := c.Start(ctx); err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	return c, nil
}

func (w *Environment) newController(ctx context.Context, o ControllerOptions) (*Controller, error) {
	if err := w.InstallProduct(ctx); err != nil {
		return nil, err
	}
	program, err := w.ProductBinary(ctx)
	if err != nil {
		return nil, err
	}
	kubeconfig, err := w.Kube.KubeconfigVia(ctx, w.APIFaults.URL, fixtures.ProductNamespace, ControllerServiceAccount)
	if err != nil {
		return nil, err
	}
	env, err := w.nomadEnv("nomad-harvester-controller", nomadPolicy)
	if err != nil {
		return nil, err
	}
	health, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	metrics, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := fmt.Sprintf("controller-%d", len(w.controllers)+1)
	certDir, err := w.metricsCertificate(name)
	if err != nil {
		return nil, err
	}
	scheme := "https"
	if o.PlainMetrics {
		scheme = "http"
	}
	c := &Controller{
		environment: w,
		MetricsURL:  fmt.Sprintf("%s://127.0.0.1:%d/metrics", scheme, metrics),
		Service: &process.Service{
			Spec: process.Spec{
				Name: name, Path: program, LogFile: w.Kube.LogFile(name),
				Args: append([]string{
					"controller", "--kubeconfig=" + kubeconfig,
					"--leader-election-namespace=" + fixtures.ProductNamespace,
					fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", health),
					fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", metrics),
					"--nomad-allowed-cidrs=127.0.0.0/8", // everything is there, and so are servers that tests make pools name
					"--metrics-cert-dir=" + certDir, fmt.Sprintf("--metrics-secure=%t", !o.PlainMetrics),
				}, o.Args...),
				Env: append(append(os.Environ(), env...), o.Env...),
			},
			Ready: kube.Healthy(http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/readyz", health)),
		},
	}
	w.controllers = append(w.controllers, c)
	return c, nil
}

// nomadEnv is the environment of a program that talks to Nomad with a token of its own; empty without Nomad.
func (w *Environment) nomadEnv(name, policy string) ([]string, error) {
	if w.NomadServer == nil {
		return nil, nil
	}
	token, err := w.nomadToken(name, policy)
	if err != nil {
		return nil, err
	}
	s := w.NomadServer
	env := []string{"NOMAD_ADDR=" + s.Addr, "NOMAD_TOKEN=" + token, "ALLOWED_NAMESPACES=*", "ALLOWED_ADDRESSES=*"}
	if s.CACert != "" {
		env = append(env, "NOMAD_CACERT="+s.CACert, "NOMAD_CLIENT_CERT="+s.ClientCert, "NOMAD_CLIENT_KEY="+s.ClientKey)
	}
	return env, nil
}

// nomadToken makes a token with exactly the given policy; without ACLs there are no tokens.
func (w *Environment) nomadToken(name, policy string) (string, error) {
	if !w.options.ACL || w.NomadServer == nil {
		return "", nil
	}
	return w.NomadServer.TokenWithPolicy(name, policy)
}
