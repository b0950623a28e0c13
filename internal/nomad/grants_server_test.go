package nomad

import (
	"errors"
	"testing"

	"github.com/hashicorp/nomad/api"

	testnomad "github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// A list that was read while the token saw too little can't be distinguished from a complete one, unless what was
// changed and put back is noticed: whichever of a token, its roles and its policies it was, and however little time it
// took.
func TestListIsNotBelievedIfGrantsWereChangedMeanwhile(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{ACL: true})
	a := newAdministrator(t, server)
	const tooLittle = `node { policy = "write" }`
	a.policy("p", enough)
	a.policy("q", tooLittle)
	role := a.role("p")
	byPolicy := a.token(&api.ACLToken{Type: "client", Policies: []string{"p"}})
	byRole := a.token(&api.ACLToken{Type: "client", Roles: []*api.ACLTokenRoleLink{{ID: role}}})
	manager := a.token(&api.ACLToken{Type: managementType})
	for _, tc := range []struct {
		name       string
		token      *api.ACLToken
		take, give func()
	}{
		{"a policy's rules", byPolicy, func() { a.policy("p", tooLittle) }, func() { a.policy("p", enough) }},
		{"a policy of a role", byRole, func() { a.policy("p", tooLittle) }, func() { a.policy("p", enough) }},
		{"a policy itself", byPolicy, func() { a.noPolicy("p") }, func() { a.policy("p", enough) }},
		{"the policies of a role", byRole, func() { a.link(role, "q") }, func() { a.link(role, "p") }},
		{"the policies of a token", byPolicy, func() { a.grant(byPolicy, "q") }, func() { a.grant(byPolicy, "p") }},
		{"the type of a token", manager, func() { a.grant(manager, "q") }, func() { a.manage(manager) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(Connection{Address: server.Addr, Token: tc.token.SecretID},
				Options{OnChange: func(Cluster, []string) {}}.withDefaults(), newShared())
			before, err := c.lastCheck(t.Context())
			if err != nil || !before.health.OK() {
				t.Fatalf("got %+v, %v", before, err)
			}
			if err := c.verify(t.Context(), before); err != nil {
				t.Errorf("nothing was changed: %v", err)
			}
			tc.take()
			if found, err := c.remote.checkToken(t.Context()); err != nil || found.health.OK() {
				t.Errorf("nothing was taken: %+v, %v", found, err)
			}
			tc.give()
			if err := c.verify(t.Context(), before); !errors.Is(err, ErrForbidden) {
				t.Errorf("a list that was read before and after: %v", err)
			}
			after, err := c.lastCheck(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.verify(t.Context(), after); err != nil {
				t.Errorf("a list that was read after: %v", err)
			}
		})
	}
}

// administrator changes what others may do.
type administrator struct {
	t      *testing.T
	client *api.Client
}

func newAdministrator(t *testing.T, server *testnomad.Server) administrator {
	return administrator{t, server.Client}
}

func (a administrator) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a administrator) policy(name, rules string) {
	a.t.Helper()
	_, err := a.client.ACLPolicies().Upsert(&api.ACLPolicy{Name: name, Rules: rules}, nil)
	a.must(err)
}

func (a administrator) noPolicy(name string) {
	a.t.Helper()
	_, err := a.client.ACLPolicies().Delete(name, nil)
	a.must(err)
}

func (a administrator) role(policy string) (id string) {
	a.t.Helper()
	role, _, err := a.client.ACLRoles().
		Create(&api.ACLRole{Name: "r", Policies: []*api.ACLRolePolicyLink{{Name: policy}}}, nil)
	a.must(err)
	return role.ID
}

func (a administrator) link(role, policy string) {
	a.t.Helper()
	_, _, err := a.client.ACLRoles().
		Update(&api.ACLRole{ID: role, Name: "r", Policies: []*api.ACLRolePolicyLink{{Name: policy}}}, nil)
	a.must(err)
}

func (a administrator) token(token *api.ACLToken) *api.ACLToken {
	a.t.Helper()
	made, _, err := a.client.ACLTokens().Create(token, nil)
	a.must(err)
	return made
}

func (a administrator) grant(token *api.ACLToken, policy string) {
	a.t.Helper()
	_, _, err := a.client.ACLTokens().
		Update(&api.ACLToken{AccessorID: token.AccessorID, Type: "client", Policies: []string{policy}}, nil)
	a.must(err)
}

func (a administrator) manage(token *api.ACLToken) {
	a.t.Helper()
	_, _, err := a.client.ACLTokens().Update(&api.ACLToken{AccessorID: token.AccessorID, Type: managementType}, nil)
	a.must(err)
}
