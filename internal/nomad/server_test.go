package nomad

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	testnomad "github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// startNomad starts a Nomad server, of the user's Nomad or the stand-in, for one test.
func startNomad(t *testing.T, o testnomad.ServerOptions) *testnomad.Server {
	t.Helper()
	needsServer(t)
	return nomadtest.Start(t, o)
}

func needsServer(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Nomad server, which is part of the embedded test environment")
	}
}

// join has a simulated client join, and returns its ID when it is ready.
func join(t *testing.T, server *testnomad.Server, o simclient.Options) string {
	t.Helper()
	client := nomadtest.StartClient(t, server, o)
	eventually(t, "client ready", func() bool {
		n, _, err := server.Client.Nodes().Info(client.ID(), nil)
		return err == nil && n.Status == NodeReady
	})
	return client.ID()
}

// member has a client join that carries a pool's UID.
func member(t *testing.T, server *testnomad.Server, name string) string {
	t.Helper()
	return join(t, server,
		simclient.Options{Name: name, NodeClass: "c", Meta: map[string]string{MetaPoolUID: "uid", MetaMember: name}})
}

// runJob runs one group of a job and waits until it runs on the node.
func runJob(t *testing.T, server *testnomad.Server, namespace, kind, id, nodeID string, count int) {
	t.Helper()
	spec := fmt.Sprintf(`{"Job": {"ID": %q, "Type": %q, "Namespace": %q, "Datacenters": ["*"],
		"Constraints": [{"LTarget": "${node.unique.id}", "RTarget": %q, "Operand": "="}],
		"TaskGroups": [{"Name": "g", "Count": %d, "Tasks": [{"Driver": "mock_driver", "Name": "t", "Config": {"run_for": "1h"},
		"Resources": {"CPU": 150, "MemoryMB": 70}}]}]}}`, id, kind, namespace, nodeID, count)
	var reply any
	if _, err := server.Client.Raw().Write("/v1/jobs", strings.NewReader(spec), &reply, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "job "+id+" to run", func() bool {
		stubs, _, err := server.Client.Jobs().Allocations(id, false, &api.QueryOptions{Namespace: namespace})
		running := 0
		for _, s := range stubs {
			if s.NodeID == nodeID && s.ClientStatus == api.AllocClientStatusRunning {
				running++
			}
		}
		return err == nil && running == count
	})
}

func token(t *testing.T, server *testnomad.Server, name, rules string) string {
	t.Helper()
	secret, err := server.TokenWithPolicy(name, rules)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func forceDeadline(t *testing.T, server *testnomad.Server, nodeID string) time.Time {
	t.Helper()
	n, _, err := server.Client.Nodes().Info(nodeID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n.DrainStrategy == nil {
		t.Fatalf("the node doesn't drain: %+v", n.LastDrain)
	}
	return n.DrainStrategy.ForceDeadline
}

// freeze stops the server in its tracks: connections stay and nothing answers.
func freeze(t *testing.T, server *testnomad.Server) (thaw func()) {
	t.Helper()
	if err := server.Process().Pause(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := server.Process().Resume(); err != nil {
			t.Fatal(err)
		}
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
