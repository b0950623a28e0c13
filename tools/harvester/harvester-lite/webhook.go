package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/harvester/harvester/pkg/webhook/clients"
	whconfig "github.com/harvester/harvester/pkg/webhook/config"
	whindexeres "github.com/harvester/harvester/pkg/webhook/indexeres"
	"github.com/harvester/harvester/pkg/webhook/types"
	"k8s.io/client-go/rest"
)

// Paths at which Harvester's webhook serves its two handlers.
const (
	validationPath = "/v1/webhook/validation"
	mutationPath   = "/v1/webhook/mutation"
)

// webhook is Harvester's admission webhook, serving.
type webhook struct {
	address string
	failed  <-chan error // the end of serving, should it come
}

// handlers are Harvester's own, with the resources they want to be asked about.
type handlers struct {
	validation, mutation http.Handler
	validated, mutated   []types.Resource
	clients              *clients.Clients
}

func startWebhook(ctx context.Context, restConfig *rest.Config, o options) (*webhook, error) {
	h, err := newHandlers(ctx, restConfig, o)
	if err != nil {
		return nil, err
	}
	if err := h.start(ctx, o.workers); err != nil {
		return nil, err
	}
	certificate, caPEM, err := selfSigned(o.namespace)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, err
	}
	w := &webhook{address: listener.Addr().String()}
	w.failed = serve(listener, certificate, h)
	return w, register(ctx, restConfig, w.address, caPEM, h)
}

func newHandlers(ctx context.Context, restConfig *rest.Config, o options) (*handlers, error) {
	c, err := newClients(ctx, restConfig, o.workers)
	if err != nil {
		return nil, err
	}
	// Only now: client-go would use the token file.
	if c.RESTConfig, err = credentialFiles(c.RESTConfig); err != nil {
		return nil, err
	}
	whindexeres.RegisterIndexers(c)
	opts := &whconfig.Options{
		Namespace:                   o.namespace,
		Threadiness:                 o.workers,
		HarvesterControllerUsername: o.controllerUser,
		GarbageCollectionUsername:   o.collectorUser,
	}
	h := &handlers{clients: c}
	if h.validation, h.validated, err = validation(c, opts); err != nil {
		return nil, fmt.Errorf("validators: %w", err)
	}
	if h.mutation, h.mutated, err = mutation(c, opts); err != nil {
		return nil, fmt.Errorf("mutators: %w", err)
	}
	return h, nil
}

// start fills the caches the handlers read from.
func (h *handlers) start(ctx context.Context, workers int) error {
	c := h.clients
	if err := c.Start(ctx); err != nil {
		return err
	}
	for _, factory := range []interface {
		Start(context.Context, int) error
	}{
		c.HarvesterFactory, c.HarvesterCoreFactory, c.KubevirtFactory, c.CNIFactory,
		c.SnapshotFactory, c.StorageFactory, c.LonghornFactory, c.CoreFactory,
	} {
		if err := factory.Start(ctx, workers); err != nil {
			return err
		}
	}
	return nil
}

// serve answers admission reviews until the process ends.
func serve(listener net.Listener, certificate tls.Certificate, h *handlers) <-chan error {
	mux := http.NewServeMux()
	mux.Handle(validationPath, h.validation)
	mux.Handle(mutationPath, h.mutation)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	secured := tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(secured) }()
	return failed
}

// credentialFiles gives a configuration the CA file and the token file it has in
// a pod: server.Validation reads both and hands them to the upgrade validator,
// which is not used here.
func credentialFiles(restConfig *rest.Config) (*rest.Config, error) {
	dir, err := os.MkdirTemp("", "harvester-lite")
	if err != nil {
		return nil, err
	}
	restConfig = rest.CopyConfig(restConfig)
	for _, file := range []struct {
		path    *string
		name    string
		content []byte
	}{
		{&restConfig.CAFile, "ca.crt", restConfig.CAData},
		{&restConfig.BearerTokenFile, "token", []byte(cmp.Or(restConfig.BearerToken, "unused"))},
	} {
		if *file.path != "" {
			continue
		}
		*file.path = filepath.Join(dir, file.name)
		if err := os.WriteFile(*file.path, file.content, 0o600); err != nil {
			return nil, err
		}
	}
	return restConfig, nil
}
