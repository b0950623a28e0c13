package nomadlink

import (
	"slices"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// Every state of Nomad has its reason and its words, which people look for, and which send them to the place where
// the mistake can be mended.
func TestWordsForHealth(t *testing.T) {
	const (
		all     = `node { policy = "write" } namespace "*" { capabilities = ["read-job"] }`
		readJob = `namespace "*" { capabilities = ["read-job"] } namespace "prod" { capabilities = ["read-job"] }`
	)
	defaults := Config{
		Connection: nomad.Connection{Address: "https://default:4646", Token: "default"},
		AddressIn:  inDefaultAddress,
		TokenIn:    inDefaultsSecret, TLSIn: tlsInDefaultsSecret, Namespaces: allowed{"*/*/*"}, Addresses: allowed{"*"},
	}
	at := func(spec v1alpha1.NomadConnection, data map[string]string) Config {
		c, err := poolConnection(defaults, asker{namespace: "ns", nodePool: "default"}, spec, nil)
		if data != nil {
			c, err = poolConnection(defaults, asker{namespace: "ns", nodePool: "default"}, spec, secretWith(data))
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	other := v1alpha1.NomadConnection{Address: "https://other:4646"}
	theirs := map[string]string{"token": "theirs"}
	away := nomad.Health{State: nomad.HealthUnreachable, Cause: "connection refused"}
	refused := nomad.Health{State: nomad.HealthTokenRefused, Cause: "403 Permission denied"}
	byLogin := Config{Connection: nomad.Connection{Address: "https://default:4646", AuthMethod: "m", JWTFile: jwtFile}}
	for name, c := range map[string]struct {
		config          Config
		health          nomad.Health
		reason, message string
	}{
		"fine": {defaults, nomad.Health{State: nomad.HealthReachable}, "Reachable",
			`Nomad answers, and the token may see and do what it must.`},
		"a token over http": {Config{Connection: nomad.Connection{Address: "http://other:4646", OfPool: true, Token: "t"}},
			nomad.Health{State: nomad.HealthReachable}, "Reachable", "Nomad answers, and the token may see and do what it must. " +
				"But the token is sent to http://other:4646 for everybody on the way to read; name an address with https:// in spec.nomad.address."},
		"over http without a token": {Config{Connection: nomad.Connection{Address: "http://other:4646", OfPool: true}},
			nomad.Health{State: nomad.HealthReachable}, "Reachable", "Nomad answers, and the token may see and do what it must."},
		"nothing heard": {defaults, nomad.Health{State: nomad.HealthUnknown}, "Unknown",
			`Nomad at https://default:4646 has not answered yet`},
		"broken": {defaults,
			nomad.Health{State: nomad.HealthNoConnection,
				Cause: "connection to Nomad at https://default:4646: Error appending CA: Couldn't parse PEM"},
			"CredentialsInvalid",
			`connection to Nomad at https://default:4646: Error appending CA: Couldn't parse PEM; correct spec.nomad, the Secret that it names, or the controller's own Secret nomad-harvester-nomad`},
		"away": {defaults, away, "Unreachable",
			`Nomad at https://default:4646 can't be asked: connection refused; check that the controller's NOMAD_ADDR is right and that the controller can reach it. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"no such region": {Config{Connection: nomad.Connection{Address: "https://default:4646", Region: "nowhere"}},
			nomad.Health{State: nomad.HealthUnreachable, Cause: "500 No path to region"}, "Unreachable",
			`Nomad at https://default:4646 knows no server of region "nowhere": 500 No path to region; check that spec.nomad.region is right, and that its servers are federated with those at the address. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"another is away": {at(other, theirs), away, "Unreachable",
			`Nomad at https://other:4646 can't be asked: connection refused; check that spec.nomad.address is right and that the controller can reach it. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"an address that isn't dialled": {at(other, theirs),
			nomad.Health{State: nomad.HealthAddressRefused, Cause: "the address 10.53.0.1 is ours"}, "AddressRefused",
			"Nomad at https://other:4646 isn't asked; check that spec.nomad.address is right: the address 10.53.0.1 is ours. Meanwhile nothing is drained or deleted, unless its deletion was asked for"},
		"http for https": {Config{Connection: nomad.Connection{Address: "http://other:4646"}},
			nomad.Health{State: nomad.HealthWrongScheme, Cause: "it speaks HTTPS"}, "CredentialsInvalid",
			`Nomad at http://other:4646 can't be asked: it speaks HTTPS; use https:// in spec.nomad.address. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"https for http": {defaults, nomad.Health{State: nomad.HealthWrongScheme, Cause: "it speaks HTTP"}, "CredentialsInvalid",
			`Nomad at https://default:4646 can't be asked: it speaks HTTP; have it serve TLS, or use http:// in the controller's NOMAD_ADDR. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"no CA": {at(other, nil), nomad.Health{State: nomad.HealthUntrusted, Cause: "its CA isn't known"}, "CredentialsInvalid",
			`Nomad at https://other:4646 can't be asked: its CA isn't known; put the CA certificate that signs the certificates of Nomad's agents into a Secret in the pool's namespace as the key ca.crt, and name that in spec.nomad.credentialsSecretRef. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"another CA": {at(other, theirs), nomad.Health{State: nomad.HealthUntrusted, Cause: "its CA isn't known"}, "CredentialsInvalid",
			`Nomad at https://other:4646 can't be asked: its CA isn't known; put the CA certificate that signs the certificates of Nomad's agents into the Secret that spec.nomad.credentialsSecretRef names as the key ca.crt. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"another name": {at(v1alpha1.NomadConnection{Address: "https://other:4646", Region: "eu"}, theirs),
			nomad.Health{State: nomad.HealthNameMismatch, Cause: `its certificate is for a, and not for "b"`}, "CredentialsInvalid",
			`Nomad at https://other:4646 can't be asked: its certificate is for a, and not for "b"; check that spec.nomad.address leads to Nomad, and put the name that Nomad's certificate is for, usually server.eu.nomad, into the Secret that spec.nomad.credentialsSecretRef names as the key tls-server-name. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"the default's name": {defaults, nomad.Health{State: nomad.HealthNameMismatch, Cause: "c"}, "CredentialsInvalid",
			`Nomad at https://default:4646 can't be asked: c; check that the controller's NOMAD_ADDR leads to Nomad, and put the name that Nomad's certificate is for, usually server.global.nomad, into the Secret nomad-harvester-nomad in the controller's namespace as the key NOMAD_TLS_SERVER_NAME. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"no client certificate": {defaults, nomad.Health{State: nomad.HealthClientCertificate, Cause: "c"}, "CredentialsInvalid",
			`Nomad at https://default:4646 can't be asked: c; put a valid client certificate, signed by the CA of Nomad's agents, and its private key into the Secret nomad-harvester-nomad in the controller's namespace as the keys tls.crt and tls.key. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"nor in the environment": {Config{Connection: defaults.Connection, TLSIn: tlsInEnvironment},
			nomad.Health{State: nomad.HealthClientCertificate, Cause: "c"}, "CredentialsInvalid",
			`Nomad at https://default:4646 can't be asked: c; put a valid client certificate, signed by the CA of Nomad's agents, and its private key into the files that the controller's NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY name. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"the server's own certificate": {defaults, nomad.Health{State: nomad.HealthServerTLS, Cause: "its certificate has expired"},
			"CredentialsInvalid",
			`Nomad at https://default:4646 can't be asked: its certificate has expired; whoever runs that Nomad has to mend it. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"lists alone": {defaults, nomad.Health{State: nomad.HealthUnresponsive, Cause: "no answer in time"}, "Unreachable",
			`Nomad at https://default:4646 lists its nodes, but several other requests in a row had no answer: no answer in time; see the log of its servers, and what is between them and the controller. It is asked again within a minute. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"a flood of nodes": {defaults, nomad.Health{State: nomad.HealthTooManyNodes}, "TooManyNodes",
			`Nomad at https://default:4646 lists more nodes with the meta harvester_pool_uid than the controller reads, so it doesn't know the members among them; find out who registers them (nomad node status -filter '"harvester_pool_uid" in Meta'), stop and purge them, and have Nomad admit clients with an introduction token alone. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"default refuses": {defaults, refused, "CredentialsInvalid",
			`Nomad at https://default:4646 refuses the token: 403 Permission denied; put the secret ID of a valid token into the Secret nomad-harvester-nomad in the controller's namespace as the key NOMAD_TOKEN, with the policy: ` + all},
		"by environment": {Config{Connection: defaults.Connection, TokenIn: inEnvironment}, refused, "CredentialsInvalid",
			`Nomad at https://default:4646 refuses the token: 403 Permission denied; put the secret ID of a valid token into the environment of the controller as NOMAD_TOKEN, with the policy: ` + all},
		"refuses theirs": {at(v1alpha1.NomadConnection{}, theirs), refused, "CredentialsInvalid",
			`Nomad at https://default:4646 refuses the token: 403 Permission denied; put the secret ID of a valid token into the Secret that spec.nomad.credentialsSecretRef names, with the policy: ` + all},
		"another refuses": {at(other, theirs), refused, "CredentialsInvalid",
			`Nomad at https://other:4646 refuses the token: 403 Permission denied; put the secret ID of a valid token into the Secret that spec.nomad.credentialsSecretRef names, with the policy: ` + all},
		"no token at all": {at(other, nil), refused, "CredentialsInvalid",
			`Nomad at https://other:4646 refuses the token: 403 Permission denied; put the secret ID of a valid token into a Secret in the pool's namespace as the key token, and name that in spec.nomad.credentialsSecretRef, with the policy: ` + all},
		"login refused": {byLogin, nomad.Health{State: nomad.HealthLoginRefused, Cause: "400 no role or policy bindings matched"},
			"LoginRefused",
			`Nomad at https://default:4646: login refused: 400 no role or policy bindings matched; check that the auth method "m" and its binding rule are as in docs/install.md, with the issuer, keys and audience of this cluster's ServiceAccount tokens, and with the policy: ` + all + `. Meanwhile nothing is drained or deleted, unless its deletion was asked for`},
		"refused after a login": {byLogin, refused, "CredentialsInvalid",
			`Nomad at https://default:4646 refuses the token that a login to its auth method "m" gave: 403 Permission denied; the controller logs in again within two minutes`},
		"can't be told": {defaults,
			nomad.Health{State: nomad.HealthTokenUnverifiable, Cause: `policy "p": 403 Permission denied`}, "TokenLacksReadJob",
			`Nomad at https://default:4646 does not show what the token grants (policy "p": 403 Permission denied), so it is unknown if the token sees every allocation; use a token that may read its own policies, with the policy: ` + all},
		"lacks read-job": {defaults, nomad.Health{State: nomad.HealthTokenLacksReadJob, Lacks: readJob}, "TokenLacksReadJob",
			`the token for Nomad at https://default:4646 does not see the allocations of every namespace, and busy nodes would look empty; have the token's policies grant: ` + readJob},
		"lacks node:write": {defaults, nomad.Health{State: nomad.HealthTokenLacksNodeWrite, Lacks: `node { policy = "write" }`},
			"TokenLacksNodeWrite",
			`the token for Nomad at https://default:4646 may not drain nodes; have the token's policies grant: node { policy = "write" }`},
	} {
		t.Run(name, func(t *testing.T) {
			known, reason, message := judge(c.config, nomad.View{Taken: now, Health: c.health}, now)
			if known != (c.reason == v1alpha1.ReasonReachable) || reason != c.reason || message != c.message {
				t.Errorf("got %t, %s,\n%s\nwant %s,\n%s", known, reason, message, c.reason, c.message)
			}
			byItself := []string{v1alpha1.ReasonReachable, v1alpha1.ReasonUnreachable, v1alpha1.ReasonUnknown}
			if waits := c.health.Misconfigured(); waits == slices.Contains(byItself, c.reason) {
				t.Errorf("%s, and it waits for a person: %t", c.reason, waits)
			}
		})
	}
}

func TestJudgeTakesOldAnswersForUnknown(t *testing.T) {
	fine := nomad.Health{State: nomad.HealthReachable}
	for name, c := range map[string]struct {
		view            nomad.View
		known           bool
		reason, message string
	}{
		"never asked": {nomad.View{}, false, v1alpha1.ReasonUnknown, "Nomad has not been asked yet."},
		"fresh": {nomad.View{Taken: now.Add(-ViewLimit), Health: fine}, true, v1alpha1.ReasonReachable,
			"Nomad answers, and the token may see and do what it must."},
		"old": {nomad.View{Taken: now.Add(-ViewLimit - time.Nanosecond), Health: fine}, false, v1alpha1.ReasonUnreachable,
			"The last answer of Nomad is too old to act upon."},
		"old, and not whole": {nomad.View{Taken: now.Add(-time.Hour),
			Health: nomad.Health{State: nomad.HealthTokenLacksNodeWrite}}, false, v1alpha1.ReasonTokenLacksNodeWrite,
			"the token for Nomad at  may not drain nodes; have the token's policies grant: "},
	} {
		t.Run(name, func(t *testing.T) {
			known, reason, message := judge(Config{}, c.view, now)
			if known != c.known || reason != c.reason || message != c.message {
				t.Errorf("got %v, %s, %q", known, reason, message)
			}
		})
	}
}

// What Nomad's client and the API call alike, but each for itself.
func TestWordsOfNomadAreTheAPIs(t *testing.T) {
	for of, is := range map[string]string{
		v1alpha1.MetaPoolUID: nomad.MetaPoolUID, v1alpha1.MetaPool: nomad.MetaPool, v1alpha1.MetaNode: nomad.MetaMember,
		string(v1alpha1.DrainForce): string(nomad.TimeoutForce), string(v1alpha1.DrainRetain): string(nomad.TimeoutRetain),
	} {
		if of != is {
			t.Errorf("%q is %q to Nomad's client", of, is)
		}
	}
}
