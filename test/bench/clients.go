package main

import (
	"context"
	"fmt"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// startingClients is how many simulated clients register at the same time.
const startingClients = 32

// What a simulated client tells Nomad that it has.
const (
	clientMHz = 100_000
	clientMiB = 100_000
)

// register starts a simulated client for each member of a pool, and waits until all are ready. It returns what stops
// them.
func (b *bench) register(ctx context.Context, l loaded) (stop func(), err error) {
	clients := make([]*simclient.Client, len(l.members))
	stop = func() {
		for _, c := range clients {
			if c != nil {
				_ = c.Stop() // it can't fail
			}
		}
	}
	return stop, kube.InParallel(len(clients), startingClients, func(i int) error {
		m, ready := l.members[i], make(chan error, 1)
		var err error
		clients[i], err = simclient.Start(simclient.Options{
			Servers: []string{b.env.NomadServer.RPCAddr}, ID: m.nodeID, Name: m.name, NodePool: largeNodePool,
			NodeClass: largeNodePool,
			Meta:      l.meta(m), CPUMHz: clientMHz, MemoryMiB: clientMiB,
			Report: func(err error) {
				select {
				case ready <- err:
				default: // only its first word is waited for
				}
			},
		})
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ready:
			if err != nil {
				return fmt.Errorf("simulated client of %s: %w", m.name, err)
			}
			return nil
		}
	})
}
