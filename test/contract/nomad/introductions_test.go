package nomad_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

func (c *check) introduction(r api.ACLIdentityClientIntroductionTokenRequest) string {
	got, _, err := c.api.ACLIdentity().CreateClientIntroductionToken(&r, nil)
	c.must(err)
	return got.JWT
}

// forThis is a token for the node and the pool of the check.
func (c *check) forThis() string {
	return c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: c.id, NodePool: c.id})
}

func (c *check) claims(token string) jwt.MapClaims {
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(token, claims)
	c.must(err)
	return claims
}

func (c *check) life(claims jwt.MapClaims) time.Duration {
	end, err := claims.GetExpirationTime()
	c.must(err)
	return time.Until(end.Time)
}

// joins wants the client with this token to become ready, or to be refused.
func joins(yes bool, o func(c *check) simclient.Options) func(*check) {
	return func(c *check) {
		options := o(c)
		if options.NodePool == "" {
			options.NodePool = c.id
		}
		n, refusal := c.simulate(options)
		if yes {
			c.awaitStatus(n.ID(), "ready")
			return
		}
		c.await("the refusal", func() error {
			if !strings.Contains(refusal(), denied) {
				return fmt.Errorf("it says %q", refusal())
			}
			return nil
		})
		c.equal("nodes", len(c.list(`ID == "`+n.ID()+`"`)), 0)
	}
}

var introductions = []behaviour{
	{"intro-claims-name-and-pool", "§4 Intro tokens", func(c *check) {
		claims := c.claims(c.forThis())
		c.equal("pool", claims["nomad_node_pool"], any(c.id))
		c.equal("name", claims["nomad_node_name"], any(c.id))
		c.equal("subject", claims["sub"], any("node-introduction:global:"+c.id+":"+c.id+":default"))
	}},
	{"intro-default-pool", "§4 Intro tokens", func(c *check) {
		claims := c.claims(c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: c.id}))
		c.equal("pool", claims["nomad_node_pool"], any("default"))
	}},
	{"intro-lasts-five-minutes-by-default", "§4 Intro tokens", func(c *check) {
		left := c.life(c.claims(c.forThis()))
		c.holds("five minutes", left > 4*time.Minute && left <= 5*time.Minute, left)
	}},
	{"intro-time-is-limited-silently", "§4 Intro tokens", func(c *check) {
		left := c.life(
			c.claims(c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: c.id, TTL: 5 * time.Hour})))
		c.holds("thirty minutes", left > 29*time.Minute && left <= 30*time.Minute, left)
	}},
	{"intro-needs-node-write", "§4 Intro tokens", func(c *check) {
		r := &api.ACLIdentityClientIntroductionTokenRequest{NodeName: c.id}
		_, _, err := c.with(nodeRead).ACLIdentity().CreateClientIntroductionToken(r, nil)
		c.refused(err, http.StatusForbidden, denied)
		_, _, err = c.with(nodeWrite).ACLIdentity().CreateClientIntroductionToken(r, nil)
		c.must(err)
	}},
	{"warn-lets-in-without-a-token", "§4 Intro tokens",
		joins(true, func(c *check) simclient.Options { return simclient.Options{} })},
	{"warn-refuses-a-wrong-pool", "§4 Intro tokens", joins(false, func(c *check) simclient.Options {
		return simclient.Options{
			IntroToken: c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: c.id, NodePool: "other"})}
	})},
	{"warn-refuses-a-wrong-name", "§4 Intro tokens", joins(false, func(c *check) simclient.Options {
		return simclient.Options{
			IntroToken: c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: "other", NodePool: c.id})}
	})},
}

var strictIntroductions = []behaviour{
	{"strict-refuses-without-a-token", "§4 Intro tokens",
		joins(false, func(c *check) simclient.Options { return simclient.Options{} })},
	{"strict-refuses-a-wrong-name", "§4 Intro tokens", joins(false, func(c *check) simclient.Options {
		return simclient.Options{
			IntroToken: c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: "other", NodePool: c.id})}
	})},
	{"strict-refuses-a-wrong-pool", "§4 Intro tokens", joins(false, func(c *check) simclient.Options {
		return simclient.Options{
			IntroToken: c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: c.id, NodePool: "other"})}
	})},
	{"strict-lets-in-with-the-right-one", "§4 Intro tokens", joins(true, func(c *check) simclient.Options {
		return simclient.Options{IntroToken: c.forThis()}
	})},
	{"strict-token-serves-twice", "§4 Intro tokens", func(c *check) {
		token := c.forThis()
		for range 2 {
			c.node(simclient.Options{IntroToken: token})
		}
		c.equal("nodes", len(c.list(`Name == "`+c.id+`"`)), 2)
	}},
	{"strict-purged-node-returns-without-a-token", "§2 Order", func(c *check) {
		n := c.node(simclient.Options{IntroToken: c.forThis(), StateDir: c.dir()})
		created := c.info(n.ID()).CreateIndex
		_, _, err := c.api.Nodes().Purge(n.ID(), nil)
		c.must(err)
		c.awaitNode(n.ID(), "back", func(n *api.Node) bool { return n.CreateIndex > created && n.Status == "ready" })
	}},
	{"strict-agent-reads-the-token-from-its-file", "§4 Intro tokens, §3", func(c *check) {
		a, id := c.configured("", ""), uuid.NewString()
		c.seed(a, "client-id", id)
		c.seed(a, "intro_token.jwt", c.forThis()+"\n") // trimmed, as the ID isn't
		c.start(a)
		c.awaitStatus(id, "ready")
		c.must(a.Restart(c.ctx)) // by its identity
		time.Sleep(time.Second)
		c.awaitStatus(id, "ready")
	}},
	{"strict-agent-without-a-token-stays-out", "§4 Intro tokens", func(c *check) {
		a, id := c.configured("", ""), uuid.NewString()
		c.seed(a, "client-id", id)
		c.start(a)
		c.logs(a, denied)
		c.equal("nodes", len(c.list(`ID == "`+id+`"`)), 0)
	}},
}

var noIntroductions = []behaviour{
	{"none-lets-in-with-a-wrong-token", "§4 Intro tokens", joins(true, func(c *check) simclient.Options {
		return simclient.Options{
			IntroToken: c.introduction(api.ACLIdentityClientIntroductionTokenRequest{NodeName: "other", NodePool: c.id})}
	})},
	{"none-lets-in-without-a-token", "§4 Intro tokens",
		joins(true, func(c *check) simclient.Options { return simclient.Options{} })},
}

var secureConnections = []behaviour{
	{"tls-needs-a-certificate", "§4 TLS", func(c *check) {
		client, err := api.NewClient(&api.Config{Address: c.addr, TLSConfig: &api.TLSConfig{CACert: c.CACert}})
		c.must(err)
		_, err = client.Status().Leader()
		c.holds("refused", err != nil, err)
	}},
	{"tls-has-the-servers-name", "§4 TLS", func(c *check) {
		client, err := api.NewClient(
			&api.Config{
				Address: c.addr,
				TLSConfig: &api.TLSConfig{CACert: c.CACert, ClientCert: c.ClientCert, ClientKey: c.ClientKey,
					TLSServerName: "server.global.nomad"},
			},
		)
		c.must(err)
		_, err = client.Status().Leader()
		c.must(err)
	}},
	{"tls-speaks-no-plain-http", "§4 TLS", func(c *check) {
		client, err := api.NewClient(&api.Config{Address: strings.Replace(c.addr, "https:", "http:", 1)})
		c.must(err)
		_, err = client.Status().Leader()
		c.holds("refused", err != nil, err)
	}},
	{"tls-client-registers", "§4 TLS", func(c *check) { c.node() }},
	{"tls-agent-registers-and-answers", "§4 TLS", func(c *check) { c.content(c.output(), "alloc/file") }},
}
