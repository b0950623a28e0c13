package simclient_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// timeout is for a busy machine.
const timeout = 60 * time.Second

func TestClientRunsAllocationsAndDrains(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{})
	busy := nomadtest.StartClient(t, server, simclient.Options{Name: "sim-1", NodePool: "pool", StopDelay: 300 * time.Millisecond})
	awaitStatus(t, server, busy, "ready")
	runService(t, server, "pool", 5)
	awaitAllocations(t, server, busy, "running", 5)

	spare := nomadtest.StartClient(t, server, simclient.Options{Name: "sim-2", NodePool: "pool"})
	awaitStatus(t, server, spare, "ready")
	began := time.Now()
	drain := &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Minute}}
	if _, err := server.Client.Nodes().UpdateDrainOpts(busy.ID(), drain, nil); err != nil {
		t.Fatal(err)
	}
	awaitAllocations(t, server, busy, "complete", 5)
	awaitAllocations(t, server, spare, "running", 5)
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("drained in %s, sooner than its allocations stop", took)
	}
}

func TestPurgedClientRegistersAgain(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{})
	client := nomadtest.StartClient(t, server, simclient.Options{Name: "sim-1"})
	awaitStatus(t, server, client, "ready")
	if _, _, err := server.Client.Nodes().Purge(client.ID(), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.Client.Nodes().Info(client.ID(), nil); err == nil {
		t.Log("registered again before we could look")
	}
	awaitStatus(t, server, client, "ready")
	if err := client.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, server, client, "down")
}

func TestPausedClientGoesDownAndReturns(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{})
	client := nomadtest.StartClient(t, server, simclient.Options{Name: "sim-1"})
	awaitStatus(t, server, client, "ready")
	for range 2 { // pausing twice is pausing once
		if err := client.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	awaitStatus(t, server, client, "down")
	if err := client.Resume(); err != nil {
		t.Fatal(err)
	}
	awaitStatus(t, server, client, "ready")
}

func TestManyClientsOutliveTheServersRestart(t *testing.T) {
	const count = 200
	server := nomadtest.Start(t, nomad.ServerOptions{})
	var ready atomic.Int32
	for i := range count {
		nomadtest.StartClient(t, server, simclient.Options{Name: fmt.Sprintf("sim-%d", i), Report: func(err error) {
			if err == nil {
				ready.Add(1)
			}
		}})
	}
	await(t, "clients to become ready", func(context.Context) error { return want(count, int(ready.Load())) })
	ready.Store(0)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "clients to come back", func(context.Context) error { return want(count, int(ready.Load())) })
	nodes, _, err := server.Client.Nodes().List(nil)
	if err != nil || len(nodes) != count {
		t.Errorf("server knows %d nodes, %v; want %d", len(nodes), err, count)
	}
}

func TestClientNeedsServersAndName(t *testing.T) {
	for _, o := range []simclient.Options{{Name: "x"}, {Servers: []string{"127.0.0.1:1"}}} {
		if _, err := simclient.Start(o); err == nil {
			t.Errorf("Start accepted %+v", o)
		}
	}
}

func TestUnreachableServerIsReported(t *testing.T) {
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	reports := make(chan error, 100)
	client, err := simclient.Start(
		simclient.Options{Name: "x", Servers: []string{fmt.Sprintf("127.0.0.1:%d", port)},
			Report: func(err error) { reports <- err }},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-reports; err == nil {
		t.Error("client claims to be ready without a server")
	}
	if err := errors.Join(client.Stop(), client.Resume()); err != nil {
		t.Error(err)
	}
}

func runService(t *testing.T, server *nomad.Server, pool string, count int) {
	t.Helper()
	spec := fmt.Sprintf(
		`{"Job": {"ID": "job", "Type": "service", "Datacenters": ["*"], "NodePool": %q,
		"TaskGroups": [{"Name": "g", "Count": %d,
		"Migrate": {"MaxParallel": 5, "HealthCheck": "task_states", "MinHealthyTime": 0, "HealthyDeadline": 60000000000},
		"Tasks": [{"Driver": "mock_driver", "Name": "t", "Config": {"run_for": "1h"}}]}]}}`,
		pool,
		count,
	)
	var reply any
	if _, err := server.Client.Raw().Write("/v1/jobs", strings.NewReader(spec), &reply, nil); err != nil {
		t.Fatal(err)
	}
}

func awaitAllocations(t *testing.T, server *nomad.Server, client *simclient.Client, status string, count int) {
	t.Helper()
	await(t, fmt.Sprintf("%d allocations %s", count, status), func(context.Context) error {
		allocations, _, err := server.Client.Nodes().Allocations(client.ID(), nil)
		if err != nil {
			return err
		}
		found := 0
		for _, a := range allocations {
			if a.ClientStatus == status {
				found++
			}
		}
		return want(count, found)
	})
}

func awaitStatus(t *testing.T, server *nomad.Server, client *simclient.Client, status string) {
	t.Helper()
	await(t, "node "+status, func(context.Context) error {
		node, _, err := server.Client.Nodes().Info(client.ID(), nil)
		if err == nil && node.Status != status {
			err = fmt.Errorf("node is %s", node.Status)
		}
		return err
	})
}

func want(want, got int) error {
	if got != want {
		return fmt.Errorf("have %d, want %d", got, want)
	}
	return nil
}

func await(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := process.WaitFor(ctx, 50*time.Millisecond, what, check); err != nil {
		t.Fatal(err)
	}
}
