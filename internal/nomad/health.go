package nomad

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// policyText is the least that the token has to be granted.
const policyText = `node { policy = "write" } namespace "*" { capabilities = ["read-job"] }`

// origin is which Nomad a message is about, and where to mend what leads there.
type origin struct{ address, addressIn, tokenIn string }

func originOf(c Connection) origin {
	return origin{c.Address, cmp.Or(c.AddressIn, "spec.nomad.address"), cmp.Or(c.TokenIn, inSpec)}
}

func healthy(address string) Health {
	return Health{OK: true, Reason: v1alpha1.ReasonReachable, Message: fmt.Sprintf("Nomad at %s answers", address)}
}

func healthUnknown(address string) Health {
	return Health{Reason: v1alpha1.ReasonUnknown, Message: fmt.Sprintf("Nomad at %s has not answered yet", address)}
}

func healthBroken(err error) Health {
	return Health{Reason: v1alpha1.ReasonCredentials, Message: err.Error() + "; correct spec.nomad, the Secret that it names, or the controller's own Secret " + OwnSecret}
}

func healthUnreachable(o origin, err error) Health {
	return Health{Reason: v1alpha1.ReasonUnreachable, Message: fmt.Sprintf(
		"Nomad at %s can't be asked: %s; check that %s is right and that the controller can reach it. Nothing is drained or deleted meanwhile",
		o.address, Cause(err), o.addressIn)}
}

func healthRefused(o origin, err error) Health {
	return Health{Reason: v1alpha1.ReasonCredentials, Message: fmt.Sprintf(
		"Nomad at %s refuses the token: %s; put the secret ID of a valid token into %s, with the policy: %s",
		o.address, Cause(err), o.tokenIn, policyText)}
}

// healthUnverifiable: what can't be verified is not relied on.
func healthUnverifiable(address, why string) Health {
	return Health{Reason: v1alpha1.ReasonTokenLacksReadJob, Message: fmt.Sprintf(
		"Nomad at %s does not show what the token grants (%s), so it is unknown if the token sees every allocation; use a token that may read its own policies, with the policy: %s",
		address, why, policyText)}
}

// healthOf turns what the token grants into a verdict. Read-job comes first: without it busy nodes look empty.
func healthOf(address string, g grants) Health {
	if len(g.hiddenNamespaces) > 0 {
		blocks := make([]string, 0, len(g.hiddenNamespaces))
		for _, ns := range g.hiddenNamespaces {
			blocks = append(blocks, fmt.Sprintf("namespace %q { capabilities = [\"read-job\"] }", ns))
		}
		return Health{Reason: v1alpha1.ReasonTokenLacksReadJob, Message: fmt.Sprintf(
			"the token for Nomad at %s does not see the allocations of every namespace, and busy nodes would look empty; have the token's policies grant: %s",
			address, strings.Join(blocks, " "))}
	}
	if !g.nodeWrite {
		return Health{Reason: v1alpha1.ReasonTokenLacksNodeWrite, Message: fmt.Sprintf(
			"the token for Nomad at %s may not drain nodes; have the token's policies grant: node { policy = \"write\" }", address)}
	}
	return healthy(address)
}

// healthFrom sums up: a failing list says more than what was found about the token earlier.
func healthFrom(o origin, listErr error, token Health) Health {
	switch {
	case errors.Is(listErr, ErrForbidden) && token.OK:
		return healthRefused(o, listErr)
	case errors.Is(listErr, ErrForbidden):
		return token
	case listErr != nil:
		return healthUnreachable(o, listErr)
	}
	return token
}
