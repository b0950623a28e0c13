package nomad

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	testnomad "github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

func TestViewOfRealNodes(t *testing.T) {
	server, seen := startNomad(t, testnomad.ServerOptions{}), &changes{}
	c := watched(t, Connection{Address: server.Addr}, seen)
	join(t, server, simclient.Options{Name: "foreign"})
	node := member(t, server, "pool-a")
	eventually(t, "the member", func() bool { return c.View().Nodes[node].Status == NodeReady })
	v := c.View()
	if n := v.Nodes[node]; len(v.Nodes) != 1 || n.Name != "pool-a" || n.NodeClass != "c" || !n.Eligible || n.Draining ||
		n.CPU != 4000 ||
		n.MemoryMB != 8192 {
		t.Errorf("got %+v", v)
	}

	runJob(t, server, "default", "batch", "job", node, 2)
	runJob(t, server, "default", "system", "sys", node, 1)
	usage, err := c.Usage(t.Context(), append(manyIDs(250), node))
	if want := (Usage{CPU: 450, MemoryMB: 210, Allocations: 3, SystemAllocations: 1}); err != nil || usage[node] != want ||
		len(usage) != 251 {
		t.Errorf("usage %+v of %d, %v", usage[node], len(usage), err)
	}
	for _, id := range manyIDs(150) {
		c.TrackAllocations(id, true)
	}
	c.TrackAllocations(node, true)
	eventually(t, "allocations", func() bool { a := c.Allocations(); return len(a.Live) == 151 && len(a.Live[node]) == 3 })
	if a := c.Allocations().Live[node][0]; a.JobID == "" || a.JobType == "" || a.Namespace != "default" ||
		a.NodeID != node ||
		a.CreateTime.IsZero() {
		t.Errorf("got %+v", a)
	}
	inspection, err := c.Inspect(t.Context(), node)
	if err != nil || !inspection.Found || len(inspection.Live) != 3 || inspection.Node.ID != node ||
		inspection.Node.CPU != 4000 {
		t.Errorf("got %+v, %v", inspection, err)
	}
}

func manyIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	return ids
}

func TestDrainOfARealNode(t *testing.T) {
	server, seen := startNomad(t, testnomad.ServerOptions{}), &changes{}
	c := watched(t, Connection{Address: server.Addr}, seen)
	node := member(t, server, "pool-a")
	runJob(t, server, "default", "batch", "job", node, 1) // which a drain lets run until its deadline
	request := DrainOptions{DrainID: "i1", Remaining: time.Hour, Pool: "ns/pool", Member: "pool-a"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	must(c.Cordon(t.Context(), node))
	must(c.Cordon(t.Context(), node))
	eventually(t, "ineligible", func() bool { n, ok := c.View().Nodes[node]; return ok && !n.Eligible && !n.Draining })
	must(errorOf(c.Drain(t.Context(), node, request)))
	first := forceDeadline(t, server, node)
	eventually(t, "our drain", func() bool {
		n := c.View().Nodes[node]
		return n.Draining && n.LastDrain != nil && n.LastDrain.DrainID == "i1" && n.LastDrain.Status == DrainDraining
	})
	must(errorOf(c.Drain(t.Context(), node, request)))
	if again := forceDeadline(t, server, node); !again.Equal(first) {
		t.Errorf("a second drain moved the deadline from %s to %s", first, again)
	}
	must(c.ResendDrain(t.Context(), node, request))
	if resent := forceDeadline(t, server, node); resent.After(first) || first.Sub(resent) > time.Minute {
		t.Errorf("a resent drain moved the deadline from %s to %s", first, resent)
	}

	must(c.Uncordon(t.Context(), node))
	eventually(t, "rescued", func() bool {
		n := c.View().Nodes[node]
		return n.Eligible && !n.Draining && n.LastDrain.Status == DrainCanceled
	})
	if got, err := c.Inspect(t.Context(), node); err != nil || len(got.Live) != 1 {
		t.Errorf("the rescue cost the allocation: %+v, %v", got, err)
	}

	request.DrainID, request.Remaining = "i2", 0
	must(errorOf(c.Drain(t.Context(), node, request)))
	c.TrackAllocations(node, true)
	eventually(t, "forced", func() bool {
		live, asked := c.Allocations().Live[node]
		n := c.View().Nodes[node]
		return asked && len(live) == 0 && !n.Draining && n.LastDrain.Status == DrainComplete && n.LastDrain.DrainID == "i2"
	})
	must(errorOf(c.Drain(t.Context(), node, request))) // over; must not begin again
	if n := c.View().Nodes[node]; n.Draining {
		t.Errorf("drains again: %+v", n)
	}
}

func TestDrainWithoutDeadlineOfARealNode(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{})
	c := NewClusters(Options{}).Get(Connection{Address: server.Addr})
	node := member(t, server, "pool-a")
	runJob(t, server, "default", "batch", "job", node, 1)
	if _, err := c.Drain(t.Context(), node, DrainOptions{DrainID: "i", NoDeadline: true}); err != nil {
		t.Fatal(err)
	}
	if at := forceDeadline(t, server, node); !at.IsZero() {
		t.Errorf("the deadline is %s", at)
	}
}

func TestPurgeOfARealNode(t *testing.T) {
	server, seen := startNomad(t, testnomad.ServerOptions{}), &changes{}
	c := watched(t, Connection{Address: server.Addr}, seen)
	client, err := simclient.Start(
		simclient.Options{Name: "pool-a", Servers: []string{server.RPCAddr}, Meta: map[string]string{MetaPoolUID: "u"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the member", func() bool { return c.View().Nodes[client.ID()].Status == NodeReady })
	if err := client.Stop(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing, which is as good
		if err := c.Purge(t.Context(), client.ID()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the view to forget", func() bool { _, still := c.View().Nodes[client.ID()]; return !still })
	for name, err := range map[string]error{
		"cordon":   c.Cordon(t.Context(), client.ID()),
		"uncordon": c.Uncordon(t.Context(), client.ID()),
		"drain":    errorOf(c.Drain(t.Context(), client.ID(), DrainOptions{DrainID: "i"})),
	} {
		if !errors.Is(err, ErrNodeNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := c.Inspect(t.Context(), client.ID()); err != nil || got.Found {
		t.Errorf("inspect: %+v, %v", got, err)
	}
}

func TestFrozenAndRestartedServer(t *testing.T) {
	server, seen := startNomad(t, testnomad.ServerOptions{}), &changes{}
	c := watched(t, Connection{Address: server.Addr}, seen)
	node := member(t, server, "pool-a")
	eventually(t, "the member", func() bool { return c.View().Nodes[node].Status == NodeReady })

	thaw := freeze(t, server)
	eventually(t, "to notice", func() bool { return c.View().Health.State == HealthUnreachable })
	frozen := c.View()
	if _, still := frozen.Nodes[node]; !still {
		t.Error("the member is forgotten because Nomad is away")
	}
	if _, err := c.Inspect(within(t, time.Second), node); !errors.Is(err, ErrUnreachable) {
		t.Errorf("inspect: %v", err)
	}
	thaw()
	eventually(t, "to recover", func() bool { v := c.View(); return v.Health.OK() && v.Taken.After(frozen.Taken) })

	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	restarted := time.Now()
	eventually(t, "a fresh view",
		func() bool { v := c.View(); return v.Health.OK() && v.Taken.After(restarted) && len(v.Nodes) == 1 })
}

func TestIntroductionTokenOfAServer(t *testing.T) {
	o := testnomad.ServerOptions{ACL: true}
	needsServer(t)
	introduces, err := testnomad.Introduces(t.Context(), nomadtest.Bin(t))
	if err != nil {
		t.Fatal(err)
	}
	if introduces {
		o.Introduction = "strict"
	}
	server := startNomad(t, o)
	c := NewClusters(Options{}).Get(Connection{Address: server.Addr, Token: token(t, server, "p", enough)})
	if !introduces {
		if _, supported, err := c.IntroductionToken(t.Context(), "pool-a", "default", 30*time.Minute); supported ||
			err != nil {
			t.Errorf("of a server without such tokens: supported %v, %v", supported, err)
		}
		return
	}
	var jwt string
	eventually(t, "the server's keyring", func() bool { // which it makes after it was elected
		token, supported, err := c.IntroductionToken(t.Context(), "pool-a", "default", 30*time.Minute)
		jwt = token
		return supported && err == nil
	})
	if strings.Count(jwt, ".") != 2 {
		t.Fatalf("got %q", jwt)
	}
	join(t, server, simclient.Options{Name: "pool-a", IntroToken: jwt})
}

func TestMutualTLS(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{TLS: true, ACL: true})
	read := func(file string) []byte {
		pem, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return pem
	}
	conn := Connection{
		Address: server.Addr, Token: server.Token, TLSServerName: "server.global.nomad",
		CACert: read(server.CACert), ClientCert: read(server.ClientCert), ClientKey: read(server.ClientKey),
	}
	c := watched(t, conn, &changes{})
	eventually(t, "to be let in", func() bool { return c.View().Health.OK() })

	for state, spoil := range map[HealthState]func(*Connection){
		HealthClientCertificate: func(c *Connection) { c.ClientCert, c.ClientKey = nil, nil },
		HealthUntrusted:         func(c *Connection) { c.CACert = nil },
		HealthNameMismatch:      func(c *Connection) { c.TLSServerName = "server.elsewhere.nomad" },
	} {
		bad := conn
		spoil(&bad)
		c := watched(t, bad, &changes{})
		eventually(t, "to be "+string(state), func() bool { return c.View().Health.State == state })
	}
}
