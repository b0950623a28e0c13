package nomad

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	testnomad "github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

const (
	everyReadJob = `namespace "*" { capabilities = ["read-job"] }`
	enough       = `node { policy = "write" } ` + everyReadJob
)

func TestTokenVerdictsOfNomad(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{ACL: true})
	for _, tc := range []struct {
		name, rules string
		state       HealthState
		lacks       string
	}{
		{"enough", enough, HealthReachable, ""},
		{"shorthand", `node { policy = "write" } namespace "*" { policy = "read" }`, HealthReachable, ""},
		{"no-namespace-rule", `node { policy = "write" }`, HealthTokenLacksReadJob, everyReadJob},
		{"no-read-job", `node { policy = "write" } namespace "*" { capabilities = ["list-jobs"] }`, HealthTokenLacksReadJob,
			everyReadJob},
		{"default-only", `node { policy = "write" } namespace "default" { policy = "read" }`, HealthTokenLacksReadJob,
			everyReadJob},
		{"narrowed", enough + ` namespace "prod" { capabilities = ["submit-job"] }`, HealthTokenLacksReadJob,
			`namespace "prod" { capabilities = ["read-job"] }`},
		{"narrowed-by-deny", enough + ` namespace "pr*" { policy = "deny" }`, HealthTokenLacksReadJob,
			`namespace "pr*" { capabilities = ["read-job"] }`},
		{"no-node-rule", everyReadJob, HealthTokenLacksNodeWrite, nodeWriteRule},
		{"node-read", `node { policy = "read" } namespace "*" { policy = "read" }`, HealthTokenLacksNodeWrite, nodeWriteRule},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if h := expectState(t, server, token(t, server, tc.name, tc.rules), tc.state); h.Lacks != tc.lacks {
				t.Errorf("it is said to lack %s, want %s", h.Lacks, tc.lacks)
			}
		})
	}
	t.Run("management", func(t *testing.T) { expectState(t, server, server.Token, HealthReachable) })
	t.Run("unknown token", func(t *testing.T) { expectState(t, server, uuid.NewString(), HealthTokenRefused) })
	t.Run("no token", func(t *testing.T) { expectState(t, server, "", HealthTokenLacksReadJob) })
	t.Run("not a token", func(t *testing.T) { expectState(t, server, "x", HealthTokenRefused) })
	t.Run("through a role", func(t *testing.T) {
		role, _, err := server.Client.ACLRoles().
			Create(&api.ACLRole{Name: "r", Policies: []*api.ACLRolePolicyLink{{Name: "enough"}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tok, _, err := server.Client.ACLTokens().
			Create(&api.ACLToken{Type: "client", Roles: []*api.ACLTokenRoleLink{{ID: role.ID}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		expectState(t, server, tok.SecretID, HealthReachable)
	})
}

func expectState(t *testing.T, server *testnomad.Server, secret string, state HealthState) Health {
	t.Helper()
	c := watched(t, Connection{Address: server.Addr, Token: secret}, &changes{})
	t.Cleanup(func() { t.Logf("%+v", c.View().Health) })
	eventually(t, string(state), func() bool { return c.View().Health.State == state })
	h := c.View().Health
	if h.OK() != (state == HealthReachable) || secret != "" && secret != "x" && strings.Contains(h.String(), secret) {
		t.Errorf("got %+v", h)
	}
	return h
}

func TestWithoutACLsAnyTokenWillDo(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{})
	expectState(t, server, "", HealthReachable)
	expectState(t, server, uuid.NewString(), HealthReachable)
}

// This is why the token has to be checked: a token that sees too little isn't refused, but shown an empty node.
func TestBusyNodeLooksEmptyToANarrowToken(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{ACL: true})
	if _, err := server.Client.Namespaces().Register(&api.Namespace{Name: "prod"}, nil); err != nil {
		t.Fatal(err)
	}
	node := member(t, server, "pool-a")
	runJob(t, server, "prod", "batch", "job", node, 1)
	c := watched(t, Connection{Address: server.Addr, Token: token(t, server, "p", enough)}, &changes{})
	if got, err := c.Inspect(t.Context(), node); err != nil || len(got.Live) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	grant := func(rules string) {
		if _, err := server.Client.ACLPolicies().Upsert(&api.ACLPolicy{Name: "p", Rules: rules}, nil); err != nil {
			t.Fatal(err)
		}
	}
	grant(enough + ` namespace "prod" { capabilities = ["submit-job"] }`)
	usage, err := c.Usage(t.Context(), []string{node})
	if err != nil || usage[node].Allocations != 0 {
		t.Errorf("Nomad tells of what the token may not see: %+v, %v", usage, err)
	}
	if _, err := c.Inspect(t.Context(), node); !errors.Is(err, ErrForbidden) || c.View().Health.OK() {
		t.Errorf("a busy node was taken for empty: %v, %+v", err, c.View().Health)
	}
	grant(enough)
	eventually(t, "a look that finds the grants unchanged", func() bool {
		got, err := c.Inspect(t.Context(), node)
		return err == nil && len(got.Live) == 1
	})
	limited := NewClusters(
		Options{}).Get(Connection{Address: server.Addr, Token: token(t, server, "limited", `node { policy = "write" }`)})
	if _, err := limited.Inspect(t.Context(), node); !errors.Is(err, ErrForbidden) {
		t.Errorf("a limited token inspects: %v", err)
	}
}

func TestRevokedTokenIsNoticed(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{ACL: true})
	secret := token(t, server, "p", enough)
	c := watched(t, Connection{Address: server.Addr, Token: secret}, &changes{})
	eventually(t, "a good token", func() bool { return c.View().Health.OK() })
	list, _, err := server.Client.ACLTokens().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, stub := range list {
		if stub.Type == "client" {
			if _, err := server.Client.ACLTokens().Delete(stub.AccessorID, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the refusal", func() bool { return c.View().Health.State == HealthTokenRefused })
	err = c.Cordon(t.Context(), uuid.NewString())
	if !errors.Is(err, ErrForbidden) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

// Whether the agents of members have to enforce ACLs.
func TestViewShowsIfThereAreACLs(t *testing.T) {
	for _, acl := range []bool{false, true} {
		server := startNomad(t, testnomad.ServerOptions{ACL: acl})
		c := watched(t, Connection{Address: server.Addr, Token: server.Token}, &changes{})
		eventually(t, "an answer", func() bool { return c.View().Health.OK() })
		eventually(t, "the look at the token", func() bool { return c.View().NoACLs != acl })
	}
}
