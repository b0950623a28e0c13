package nomad_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// behaviour is one thing that Nomad does and that we depend on.
type behaviour struct {
	name string
	// source is where it was found: a section of facts/nomad.md.
	source string
	check  func(c *check)
}

// site is a configuration of the server, and what is to be seen with it.
type site struct {
	name       string
	options    nomad.ServerOptions
	behaviours []behaviour
	// introduces: only servers that give introduction tokens know this configuration.
	introduces bool
}

func sites() []site {
	acl := nomad.ServerOptions{ACL: true}
	strict, none := acl, acl
	strict.Introduction, none.Introduction = "strict", "none"
	return []site{
		{
			name: "plain",
			behaviours: join(nodeLists, nodeReads, eligibilities, drains, drainMetas, purges, heartbeats, allocationLists, jobs,
				placements, tasks, migrations, agents, pools, clientAgents, clientFiles, commands, locks),
		},
		{name: "acl", options: acl, behaviours: join(tokens, policies, logins, aclClients, aclMigrations, aclLocks)},
		{name: "warn", options: acl, behaviours: introductions, introduces: true},
		{name: "strict", options: strict, behaviours: strictIntroductions, introduces: true},
		{name: "none", options: none, behaviours: noIntroductions, introduces: true},
		{name: "tls", options: nomad.ServerOptions{ACL: true, TLS: true}, behaviours: secureConnections},
		{name: "stream", behaviours: streams}, // on a server of their own: the buffer of events is short
		{name: "restart", behaviours: restarts},
		{name: "leader", behaviours: leaderChanges},
		{name: "regions", behaviours: regions},
	}
}

func join(lists ...[]behaviour) (all []behaviour) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// parallel is how many behaviours are watched at once: most of them wait.
const parallel = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", parallel); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// timeout is for what is awaited, on a busy machine.
const timeout = 40 * time.Second

func TestContract(t *testing.T) {
	found := find(t)
	t.Log(found)
	introduces, err := nomad.Introduces(t.Context(), found.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sites() {
		if s.introduces && !introduces {
			t.Logf("%s: this Nomad gives no introduction tokens, so %d behaviours aren't its", s.name, len(s.behaviours))
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, s.options)
			for _, b := range s.behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					if err := b.watch(t.Context(), p, timeout); err != nil {
						t.Errorf("%s: %v", b.source, err)
					}
				})
			}
		})
	}
}

func TestBehavioursHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range sites() {
		for _, b := range s.behaviours {
			if seen[b.name] || b.source == "" || b.check == nil {
				t.Errorf("%s of %s is there twice, or lacks its source or check", b.name, s.name)
			}
			seen[b.name] = true
		}
	}
	if len(seen) < 120 {
		t.Errorf("%d behaviours", len(seen))
	}
}

func find(t *testing.T) binaries.NomadInUse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute)
	defer cancel()
	found, err := binaries.FindNomad(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// grace is how late heartbeats may be: on a busy machine clients are late for seconds, and what was on them
// is lost then.
const grace = 5 * time.Second

// start starts a server for behaviours to share.
func start(t *testing.T, o nomad.ServerOptions) *place {
	t.Helper()
	o.Bin, o.Dir, o.HeartbeatGrace = find(t).Path, t.TempDir(), grace
	server, err := nomad.StartServer(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &place{Server: server, bin: o.Bin, acl: o.ACL, api: server.Client, addr: server.Addr}
}
