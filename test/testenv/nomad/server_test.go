package nomad_test

import (
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
)

func TestServerWithACLAndTLSSurvivesRestart(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{ACL: true, TLS: true})
	if server.Token == "" || server.Addr[:8] != "https://" {
		t.Fatalf("server has token %q and address %s", server.Token, server.Addr)
	}
	before, _, err := server.Client.Namespaces().Info("default", nil)
	if err != nil {
		t.Fatalf("management token isn't accepted: %v", err)
	}
	anonymous, err := server.ClientWithToken("")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := anonymous.Nodes().List(nil); err == nil {
		t.Error("server lets anonymous clients list nodes")
	}
	noCertificate, err := api.NewClient(
		&api.Config{Address: server.Addr, TLSConfig: &api.TLSConfig{CACert: server.CACert}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := noCertificate.Status().Leader(); err == nil {
		t.Error("server answers a client without a certificate")
	}
	if err := server.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, _, err := server.Client.Namespaces().Info("default", nil)
	if err != nil || after.CreateIndex != before.CreateIndex {
		t.Errorf("after a restart the server knows %+v, %v; before it %+v", after, err, before)
	}
}

// The cluster goes on under another leader each time, and the first server's address stays good.
func TestServerLosesLeadership(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{ACL: true, TLS: true})
	seen := map[string]bool{}
	for range 3 {
		leader, err := server.Client.Status().Leader()
		if err != nil {
			t.Fatal(err)
		}
		seen[leader] = true
		if err := server.LoseLeadership(t.Context()); err != nil {
			t.Fatal(err)
		}
		next, err := server.Client.Status().Leader()
		if err != nil || next == leader {
			t.Errorf("after %s the leader is %s, %v", leader, next, err)
		}
	}
	if len(seen) < 2 {
		t.Errorf("only %v ever led", seen)
	}
	if _, _, err := server.Client.Nodes().List(nil); err != nil {
		t.Errorf("the cluster doesn't answer under its new leader: %v", err)
	}
}

func TestTokenWithPolicy(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{ACL: true})
	secret, err := server.TokenWithPolicy("nodes", `node { policy = "read" }`)
	if err != nil {
		t.Fatal(err)
	}
	client, err := server.ClientWithToken(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Nodes().List(nil); err != nil {
		t.Errorf("token may not list nodes: %v", err)
	}
	if _, err := client.ACLPolicies().Delete("nodes", nil); err == nil {
		t.Error("token may delete its own policy")
	}
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	_, err := nomad.StartServer(t.Context(),
		nomad.ServerOptions{Bin: nomadtest.Bin(t), Dir: t.TempDir(), ACL: true, Introduction: "perhaps"})
	if err == nil {
		t.Fatal("server started with a bad configuration")
	}
	t.Log(err)
}
