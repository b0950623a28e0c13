package nomad_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
)

const (
	denied    = "Permission denied"
	nodeRead  = `node { policy = "read" }`
	nodeWrite = `node { policy = "write" }`
)

var tokens = []behaviour{
	{"acl-bootstraps-once", "§4", func(c *check) {
		_, _, err := c.as("").ACLTokens().Bootstrap(nil)
		c.refused(err, http.StatusBadRequest, "ACL bootstrap already done")
	}},
	{"acl-anonymous-is-denied", "§4", func(c *check) {
		_, _, err := c.as("").Nodes().List(nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-unknown-token-is-denied", "§4", func(c *check) {
		_, _, err := c.as(uuid.NewString()).Nodes().List(nil)
		c.refused(err, http.StatusForbidden, "")
	}},
	{"acl-self-tells-policies", "§4", func(c *check) {
		self, _, err := c.with(nodeRead).ACLTokens().Self(nil)
		c.must(err)
		c.holds("its own", self.Type == "client" && len(self.Policies) == 1 && self.Policies[0] == c.id && self.Name == c.id,
			self)
	}},
	{"acl-self-of-management", "§4", func(c *check) {
		self, _, err := c.api.ACLTokens().Self(nil)
		c.must(err)
		c.equal("type", self.Type, "management")
	}},
	{"acl-token-expires", "§4 No static token", func(c *check) {
		_, err := c.api.ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id, Rules: nodeRead}, nil)
		c.must(err)
		token, _, err := c.api.ACLTokens().
			Create(&api.ACLToken{Type: "client", Policies: []string{c.id}, ExpirationTTL: 5 * time.Second}, nil)
		c.must(err)
		client := c.as(token.SecretID)
		c.holds("when", token.ExpirationTime != nil && time.Until(*token.ExpirationTime) < 6*time.Second,
			token.ExpirationTime)
		_, _, err = client.Nodes().List(nil)
		c.must(err)
		c.await("its end", func() error {
			if _, _, err := client.Nodes().List(nil); err == nil {
				return errors.New("it is still good")
			}
			return nil
		})
		_, _, err = client.Nodes().List(nil)
		c.refused(err, http.StatusForbidden, "")
	}},
	{"acl-token-deleted-is-denied", "§4", func(c *check) {
		client := c.with(nodeRead)
		self, _, err := client.ACLTokens().Self(nil)
		c.must(err)
		_, err = c.api.ACLTokens().Delete(self.AccessorID, nil)
		c.must(err)
		c.await("its end", func() error {
			if _, _, err := client.Nodes().List(nil); err == nil {
				return errors.New("it is still good")
			}
			return nil
		})
	}},
	{"acl-metrics-are-for-anybody", "seen of 1.11.3", func(c *check) {
		_, err := c.as("").Operator().Metrics(&api.QueryOptions{Params: map[string]string{"format": "prometheus"}})
		c.must(err)
	}},
	{"acl-drain-tells-who", "§2 LastDrain", func(c *check) {
		client, id := c.with(nodeWrite), c.node().ID()
		self, _, err := client.ACLTokens().Self(nil)
		c.must(err)
		_, err = client.Nodes().UpdateDrainOpts(id, &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}}, nil)
		c.must(err)
		got := c.awaitDrained(id).LastDrain.AccessorID
		c.holds("by its accessor", strings.HasSuffix(got, self.AccessorID), got)
	}},
}

var policies = []behaviour{
	{"acl-node-read-may-not-write", "§4", func(c *check) {
		client, id := c.with(nodeRead), c.node().ID()
		_, _, err := client.Nodes().Info(id, nil)
		c.must(err)
		_, err = client.Nodes().ToggleEligibility(id, false, nil)
		c.refused(err, http.StatusForbidden, denied)
		_, _, err = client.Nodes().Purge(id, nil)
		c.refused(err, http.StatusForbidden, denied)
		_, err = client.Nodes().UpdateDrainOpts(id, &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}}, nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-node-write-may", "§4", func(c *check) {
		client, id := c.with(nodeWrite), c.node().ID()
		_, err := client.Nodes().ToggleEligibility(id, false, nil)
		c.must(err)
		_, _, err = client.Nodes().Purge(id, nil)
		c.must(err)
	}},
	{"acl-node-allocations-are-silently-none", "§0.6", func(c *check) {
		id := c.node().ID()
		c.awaitRunning(c.run(c.job("service", 1)), 1)
		got, _, err := c.with(nodeWrite).Nodes().Allocations(id, nil)
		c.must(err)
		c.equal("allocations", len(got), 0)
	}},
	{"acl-allocations-everywhere-are-refused", "§0.6", func(c *check) {
		_, _, err := c.with(nodeWrite).Allocations().List(&api.QueryOptions{Namespace: "*"})
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-read-job-everywhere-sees-allocations", "§4", func(c *check) {
		id := c.node().ID()
		c.awaitRunning(c.run(c.job("service", 1)), 1)
		client := c.with(nodeWrite + ` namespace "*" { capabilities = ["list-jobs", "read-job"] }`)
		list, _, err := client.Allocations().List(&api.QueryOptions{Namespace: "*", Filter: `NodeID == "` + id + `"`})
		c.must(err)
		c.equal("by the list", len(list), 1)
		ofNode, _, err := client.Nodes().Allocations(id, nil)
		c.must(err)
		c.equal("by the node", len(ofNode), 1)
	}},
	{"acl-policy-rules-as-json", "§4", func(c *check) {
		client := c.with(nodeWrite + ` namespace "default" { capabilities = ["read-job"] }`)
		var policy struct {
			Rules     string
			RulesJSON struct {
				Namespaces []struct {
					Name         string
					Capabilities []string
				}
				Node struct{ Policy string }
			}
		}
		_, err := client.Raw().Query("/v1/acl/policy/"+c.id, &policy, nil)
		c.must(err)
		r := policy.RulesJSON
		c.holds(
			"as parsed",
			r.Node.Policy == "write" && len(r.Namespaces) == 1 && r.Namespaces[0].Name == "default" &&
				r.Namespaces[0].Capabilities[0] == "read-job",
			r,
		)
	}},
	{"acl-policy-of-others-is-hidden", "§4", func(c *check) {
		client := c.with(nodeRead)
		_, err := c.api.ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id + "-other", Rules: nodeRead}, nil)
		c.must(err)
		_, _, err = client.ACLPolicies().Info(c.id+"-other", nil)
		c.holds("refused", err != nil, err)
		list, _, err := client.ACLPolicies().List(nil)
		c.must(err)
		c.equal("own policies", len(list), 1)
	}},
	{"acl-bad-policy-is-refused", "§4", func(c *check) {
		_, err := c.api.ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id, Rules: `node { policy = "all" }`}, nil)
		c.refused(err, http.StatusBadRequest, "")
	}},
	{"acl-policies-need-management", "§4", func(c *check) {
		_, err := c.with(nodeWrite).ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id + "-x", Rules: nodeRead}, nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-node-pools-by-pattern", "§4", func(c *check) {
		client := c.with(`node_pool "` + c.id + `-*" { policy = "write" }`)
		_, err := client.NodePools().Register(&api.NodePool{Name: c.id + "-a"}, nil)
		c.must(err)
		_, err = client.NodePools().Register(&api.NodePool{Name: "x-" + c.id}, nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-role-gives-its-policies", "§4", func(c *check) {
		_, err := c.api.ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id, Rules: nodeRead}, nil)
		c.must(err)
		role, _, err := c.api.ACLRoles().
			Create(&api.ACLRole{Name: c.id, Policies: []*api.ACLRolePolicyLink{{Name: c.id}}}, nil)
		c.must(err)
		token, _, err := c.api.ACLTokens().
			Create(&api.ACLToken{Type: "client", Roles: []*api.ACLTokenRoleLink{{ID: role.ID}}}, nil)
		c.must(err)
		client := c.as(token.SecretID)
		_, _, err = client.Nodes().List(nil)
		c.must(err)
		self, _, err := client.ACLTokens().Self(nil)
		c.must(err)
		c.holds("role by name", len(self.Roles) == 1 && self.Roles[0].Name == c.id, self.Roles)
		got, _, err := client.ACLRoles().GetByName(c.id, nil)
		c.must(err)
		c.equal("policies", got.Policies[0].Name, c.id)
	}},
	{"acl-garbage-collection-needs-management", "§2", func(c *check) {
		_, err := c.with(nodeWrite).Raw().Write("/v1/system/gc", nil, nil, nil)
		c.refused(err, http.StatusForbidden, denied)
	}},
	{"acl-stream-of-nodes-needs-node-read", "§1 Event stream", func(c *check) {
		topics := map[api.Topic][]string{"Node": {"*"}}
		ctx, cancel := context.WithCancel(c.ctx)
		c.later(func() error { cancel(); return nil })
		// Nomad begins the stream with a good status, and says nothing in it: no refusal, and no sign of life.
		events, err := c.with(`namespace "*" { policy = "read" }`).EventStream().Stream(ctx, topics, 0, nil)
		c.must(err)
		heard := c.listen(topics)
		id := c.node().ID()
		c.hearType(heard, "NodeRegistration", id)
		select {
		case got, open := <-events: // the end, if anything
			c.holds("it ends", !open || got.Err != nil, got)
		case <-time.After(time.Second):
		}
	}},
}

// signer signs tokens that an auth method of the check's name takes.
func (c *check) signer() func(audience, subject string, expires time.Duration) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.must(err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	c.must(err)
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	_, _, err = c.api.ACLAuthMethods().Create(&api.ACLAuthMethod{
		Name: c.id, Type: "JWT", TokenLocality: "local", MaxTokenTTL: time.Minute, Config: &api.ACLAuthMethodConfig{
			JWTValidationPubKeys: []string{
				public}, BoundIssuer: []string{"us"}, BoundAudiences: []string{"nomad"}, SigningAlgs: []string{"ES256"},
			ClaimMappings: map[string]string{"sub": "sub"},
		},
	}, nil)
	c.must(err)
	_, err = c.api.ACLPolicies().Upsert(&api.ACLPolicy{Name: c.id, Rules: nodeRead}, nil)
	c.must(err)
	_, _, err = c.api.ACLBindingRules().
		Create(&api.ACLBindingRule{AuthMethod: c.id, Selector: `value.sub == "system:serviceaccount:ns:sa"`,
			BindType: "policy", BindName: c.id}, nil)
	c.must(err)
	return func(audience, subject string, expires time.Duration) string {
		now := time.Now()
		token := jwt.NewWithClaims(
			jwt.SigningMethodES256,
			jwt.MapClaims{"iss": "us", "aud": audience, "sub": subject, "iat": now.Unix(), "nbf": now.Unix(),
				"exp": now.Add(expires).Unix()},
		)
		signed, err := token.SignedString(key)
		c.must(err)
		return signed
	}
}

func (c *check) login(token string) (*api.ACLToken, error) {
	got, _, err := c.as("").ACLAuth().Login(&api.ACLLoginRequest{AuthMethodName: c.id, LoginToken: token}, nil)
	return got, err
}

const account = "system:serviceaccount:ns:sa"

var logins = []behaviour{
	{"login-with-a-service-account", "§4 No static token", func(c *check) {
		token, err := c.login(c.signer()("nomad", account, time.Hour))
		c.must(err)
		c.holds(
			"policy and end",
			len(token.Policies) == 1 && token.Policies[0] == c.id && token.ExpirationTime != nil &&
				time.Until(*token.ExpirationTime) <= time.Minute,
			token,
		)
		_, _, err = c.as(token.SecretID).Nodes().List(nil)
		c.must(err)
	}},
	{"login-for-another-audience-is-refused", "§4 No static token", func(c *check) {
		_, err := c.login(c.signer()("vault", account, time.Hour))
		c.holds("refused", err != nil, err)
	}},
	{"login-of-the-expired-is-refused", "§4 No static token", func(c *check) {
		_, err := c.login(c.signer()("nomad", account, -10*time.Minute))
		c.holds("refused", err != nil, err)
	}},
	{"login-that-no-rule-binds-is-refused", "§4 No static token", func(c *check) {
		_, err := c.login(c.signer()("nomad", "system:serviceaccount:ns:other", time.Hour))
		c.holds("refused", err != nil, err)
	}},
	{"login-with-an-unknown-method-is-refused", "§4 No static token", func(c *check) {
		_, err := c.login("x.y.z")
		c.holds("refused", err != nil, err)
	}},
}

var aclClients = []behaviour{
	{"acl-client-file-needs-read-fs", "§7", func(c *check) {
		alloc := c.output()
		c.content(alloc, "alloc/file")
		fs := c.with(nodeWrite + ` namespace "default" { capabilities = ["read-job"] }`).AllocFS()
		_, _, err := fs.List(alloc, "alloc", nil)
		c.refused(err, http.StatusForbidden, denied)
		reader, err := fs.Cat(alloc, "alloc/file", nil)
		c.must(err) // the refusal comes as if it were the file
		text, err := io.ReadAll(reader)
		c.must(errors.Join(err, reader.Close()))
		c.equal("text", string(text), denied)
	}},
	{"acl-client-exec-needs-alloc-exec", "§7", func(c *check) {
		alloc := c.output()
		code, text := c.exec(c.with(`namespace "default" { capabilities = ["read-job", "alloc-exec", "alloc-node-exec"] }`),
			alloc)
		c.equal("exit and output", fmt.Sprintf("%d %s", code, text), "4 inside\n")
	}},
	{"acl-client-metadata-needs-node-write", "§3", func(c *check) {
		a := c.agent()
		apply := &api.NodeMetaApplyRequest{NodeID: a.id(), Meta: map[string]*string{"late": new("1")}}
		_, err := c.with(nodeRead).Nodes().Meta().Apply(apply, nil)
		c.holds("refused", err != nil && strings.Contains(err.Error(), denied), err)
		_, err = c.api.Nodes().Meta().Apply(apply, nil)
		c.must(err)
	}},
}
