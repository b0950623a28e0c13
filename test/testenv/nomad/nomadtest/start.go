package nomadtest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// Bin is the path of the Nomad that the environment runs.
func Bin(t *testing.T) string {
	t.Helper()
	// A cold cache takes minutes to fill: give up before `go test` does.
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	paths, err := binaries.Ensure(ctx, os.Stderr, binaries.Nomad)
	if err != nil {
		t.Fatal(err)
	}
	return paths[binaries.Nomad]
}

// Start starts a server in a directory of the test's, and stops it when the test ends.
func Start(t *testing.T, o nomad.ServerOptions) *nomad.Server {
	t.Helper()
	o.Bin, o.Dir, o.Progress = Bin(t), t.TempDir(), t.Output()
	server, err := nomad.StartServer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// StartClient starts a simulated client of a server, and stops it when the test ends.
func StartClient(t *testing.T, server *nomad.Server, o simclient.Options) *simclient.Client {
	t.Helper()
	o.Servers = []string{server.RPCAddr}
	client, err := simclient.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Stop(); err != nil {
			t.Error(err)
		}
	})
	return client
}
