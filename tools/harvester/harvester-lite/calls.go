//go:build !harvester15

package main

import (
	"context"
	"net/http"

	"github.com/harvester/harvester/pkg/webhook/clients"
	whconfig "github.com/harvester/harvester/pkg/webhook/config"
	"github.com/harvester/harvester/pkg/webhook/server"
	"github.com/harvester/harvester/pkg/webhook/types"
	"k8s.io/client-go/rest"
)

// The calls that other versions of Harvester take with other arguments; calls_1.5.go has theirs.

func newClients(ctx context.Context, restConfig *rest.Config, workers int) (*clients.Clients, error) {
	return clients.New(ctx, restConfig, workers, false)
}

func validation(c *clients.Clients, o *whconfig.Options) (http.Handler, []types.Resource, error) {
	return server.Validation(c, o, false)
}

func mutation(c *clients.Clients, o *whconfig.Options) (http.Handler, []types.Resource, error) {
	return server.Mutation(c, o, false)
}
