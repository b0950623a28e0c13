package nomadlink

import (
	"cmp"
	"fmt"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// judge returns if the view of Nomad may be acted upon, with the reason and message of the condition.
func judge(c Config, v nomad.View, now time.Time) (known bool, reason, message string) {
	switch {
	case v.Health.State == "" && v.Taken.IsZero():
		return false, v1alpha1.ReasonUnknown, "Nomad has not been asked yet."
	case v.Health.OK() && now.Sub(v.Taken) > ViewLimit:
		return false, v1alpha1.ReasonUnreachable, "The last answer of Nomad is too old to act upon."
	}
	reason, message = explain(c, v.Health)
	return v.Health.OK(), reason, message
}

// refused explains that Nomad takes neither the token nor the login.
func refused(c Config, h nomad.Health) (reason, message string) {
	switch {
	case h.State == nomad.HealthLoginRefused:
		return v1alpha1.ReasonLoginRefused, fmt.Sprintf(
			"Nomad at %s: login refused: %s; check that the auth method %q and its binding rule are as in docs/install.md, with "+
				"the issuer, keys and audience of this cluster's ServiceAccount tokens, and with the policy: %s. Meanwhile nothing "+
				"is drained or deleted, unless its deletion was asked for",
			c.Address, h.Cause, c.AuthMethod, nomad.PolicyNeeded)
	case c.AuthMethod != "":
		return v1alpha1.ReasonCredentials, fmt.Sprintf(
			"Nomad at %s refuses the token that a login to its auth method %q gave: %s; the controller logs in again within two "+
				"minutes", c.Address, c.AuthMethod, h.Cause)
	default:
		return v1alpha1.ReasonCredentials, fmt.Sprintf(
			"Nomad at %s refuses the token: %s; put the secret ID of a valid token into %s, with the policy: %s",
			c.Address, h.Cause, cmp.Or(c.TokenIn, inSpecSecret), nomad.PolicyNeeded)
	}
}

// readOnTheWay says what nobody would notice: all works without TLS. The controller's own token isn't sent so.
func readOnTheWay(c Config) string {
	if c.Token == "" || !plain(c.Address) {
		return ""
	}
	return fmt.Sprintf(" But the token is sent to %s for everybody on the way to read; name an address with https:// in "+
		"%s.", c.Address, cmp.Or(c.AddressIn, inSpecAddress))
}

// explain returns the reason and message for a health. The message names the place where it can be mended.
func explain(c Config, h nomad.Health) (reason, message string) {
	switch h.State {
	case nomad.HealthReachable:
		return v1alpha1.ReasonReachable, "Nomad answers, and the token may see and do what it must." + readOnTheWay(c)
	case nomad.HealthNoConnection:
		return v1alpha1.ReasonCredentials, h.Cause +
			"; correct spec.nomad, the Secret that it names, or the controller's own Secret " + DefaultsSecret
	case nomad.HealthUnreachable:
		if h.NoPathToRegion() {
			return v1alpha1.ReasonUnreachable, fmt.Sprintf(
				"Nomad at %s knows no server of region %q: %s; check that spec.nomad.region is right, and that its servers are "+
					"federated with those at the address. Meanwhile nothing is drained or deleted, unless its deletion was asked for",
				c.Address, c.Region, h.Cause)
		}
		return v1alpha1.ReasonUnreachable, fmt.Sprintf(
			"Nomad at %s can't be asked: %s; check that %s is right and that the controller can reach it. Meanwhile nothing is drained or deleted, unless its deletion was asked for",
			c.Address,
			h.Cause,
			cmp.Or(c.AddressIn, inSpecAddress),
		)
	case nomad.HealthAddressRefused:
		return v1alpha1.ReasonAddressRefused, fmt.Sprintf(
			"Nomad at %s isn't asked; check that %s is right: %s. Meanwhile nothing is drained or deleted, unless its deletion "+
				"was asked for", c.Address, cmp.Or(c.AddressIn, inSpecAddress), h.Cause)
	case nomad.HealthWrongScheme, nomad.HealthUntrusted, nomad.HealthNameMismatch, nomad.HealthClientCertificate,
		nomad.HealthServerTLS:
		return v1alpha1.ReasonCredentials, explainTLS(c, h)
	case nomad.HealthUnresponsive:
		return v1alpha1.ReasonUnreachable, fmt.Sprintf(
			"Nomad at %s lists its nodes, but several other requests in a row had no answer: %s; see the log of its servers, and "+
				"what is between them and the controller. It is asked again within a minute. Meanwhile nothing is drained or "+
				"deleted, unless its deletion was asked for", c.Address, h.Cause)
	case nomad.HealthTooManyNodes:
		return v1alpha1.ReasonTooManyNodes, fmt.Sprintf(
			"Nomad at %s lists more nodes with the meta %s than the controller reads, so it doesn't know the members among them; "+
				"find out who registers them (nomad node status -filter '\"%s\" in Meta'), stop and purge them, and have Nomad admit "+
				"clients with an introduction token alone. Meanwhile nothing is drained or deleted, unless its deletion was asked "+
				"for", c.Address, nomad.MetaPoolUID, nomad.MetaPoolUID)
	case nomad.HealthLoginRefused, nomad.HealthTokenRefused:
		return refused(c, h)
	case nomad.HealthTokenUnverifiable:
		return v1alpha1.ReasonTokenLacksReadJob, fmt.Sprintf("Nomad at %s does not show what the token grants (%s), "+
			"so it is unknown if the token sees every allocation; use a token that may read its own policies, with the policy: %s",
			c.Address, h.Cause, nomad.PolicyNeeded)
	case nomad.HealthTokenLacksReadJob:
		return v1alpha1.ReasonTokenLacksReadJob, fmt.Sprintf(
			"the token for Nomad at %s does not see the allocations of every namespace, "+
				"and busy nodes would look empty; have the token's policies grant: %s",
			c.Address,
			h.Lacks,
		)
	case nomad.HealthTokenLacksNodeWrite:
		return v1alpha1.ReasonTokenLacksNodeWrite, fmt.Sprintf(
			"the token for Nomad at %s may not drain nodes; have the token's policies grant: %s", c.Address, h.Lacks)
	case nomad.HealthUnknown:
	}
	return v1alpha1.ReasonUnknown, fmt.Sprintf("Nomad at %s has not answered yet", c.Address)
}
