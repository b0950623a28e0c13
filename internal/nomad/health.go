package nomad

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// HealthState is the state of the connection to a cluster.
type HealthState string

// The states. A Health without one belongs to a View that didn't come from a Cluster.
const (
	// HealthUnknown: Nomad has not answered yet.
	HealthUnknown HealthState = "Unknown"
	// HealthReachable: it answers, and the token grants what is needed.
	HealthReachable HealthState = "Reachable"
	// HealthNoConnection: nothing can be sent over this Connection, for Cause.
	HealthNoConnection HealthState = "NoConnection"
	// HealthUnreachable: it can't be asked, for Cause.
	HealthUnreachable HealthState = "Unreachable"
	// HealthAddressRefused: the address that it is at isn't dialled, for Cause.
	HealthAddressRefused HealthState = "AddressRefused"
	// HealthWrongScheme: it speaks HTTP where the address says https, or HTTPS where that says http, for Cause.
	HealthWrongScheme HealthState = "WrongScheme"
	// HealthUntrusted: its certificate isn't signed by an authority that the connection trusts, for Cause.
	HealthUntrusted HealthState = "Untrusted"
	// HealthNameMismatch: its certificate is for another name than is expected, for Cause.
	HealthNameMismatch HealthState = "NameMismatch"
	// HealthClientCertificate: it wants a client certificate and has none, or refuses the one that it has, for Cause.
	HealthClientCertificate HealthState = "ClientCertificate"
	// HealthServerTLS: its certificate has expired, or something else of its TLS isn't in order, for Cause. Nothing of the
	// connection can mend that.
	HealthServerTLS HealthState = "ServerTLS"
	// HealthUnresponsive: it answers the lists of nodes, but not what it was asked after that, for Cause. It isn't asked
	// for a while.
	HealthUnresponsive HealthState = "Unresponsive"
	// HealthTooManyNodes: it lists so many nodes with our key that they aren't kept.
	HealthTooManyNodes HealthState = "TooManyNodes"
	// HealthTokenRefused: it refuses the token; Cause has its answer.
	HealthTokenRefused HealthState = "TokenRefused"
	// HealthLoginRefused: there is no token, because a login has failed, for Cause.
	HealthLoginRefused HealthState = "LoginRefused"
	// HealthTokenUnverifiable: it doesn't show what the token grants, for Cause.
	HealthTokenUnverifiable HealthState = "TokenUnverifiable"
	// HealthTokenLacksReadJob: the token doesn't see the allocations of every namespace. It lacks Lacks.
	HealthTokenLacksReadJob HealthState = "TokenLacksReadJob"
	// HealthTokenLacksNodeWrite: the token may not drain nodes. It lacks Lacks.
	HealthTokenLacksNodeWrite HealthState = "TokenLacksNodeWrite"
)

// Health is whether Nomad answers and the token grants what the controllers rely on. While it is not OK, the token may
// see less than there is, and no destructive step may be based on it. It stays the same while the reason does, so it
// has no times and no counters.
type Health struct {
	State HealthState
	// Cause is the reason, from the function Cause; empty where the state is reason enough.
	Cause string
	// Lacks are the rules that a policy of the token would have to hold, in Nomad's language.
	Lacks string
	// Passes is true if Nomad failed to answer rather than refused: the next answer may be another.
	Passes bool
}

// OK is true if what is seen may be relied on.
func (h Health) OK() bool { return h.State == HealthReachable }

// NoPathToRegion is true if the server that was asked knows none of the region: there is no such region, or it has
// just no server that answers (Nomad: nomad/rpc.go forwardRegion).
func (h Health) NoPathToRegion() bool { return strings.Contains(h.Cause, noPathToRegion) }

// Misconfigured is true if the connection or the token keeps Nomad from being asked, which a person must mend.
func (h Health) Misconfigured() bool {
	switch h.State {
	case HealthNoConnection, HealthTokenRefused, HealthLoginRefused, HealthTokenUnverifiable, HealthTokenLacksReadJob,
		HealthTokenLacksNodeWrite, HealthTooManyNodes, HealthAddressRefused, HealthWrongScheme, HealthUntrusted,
		HealthNameMismatch, HealthClientCertificate, HealthServerTLS:
		return !h.Passes
	default:
		return false
	}
}

// String is for logs and errors.
func (h Health) String() string {
	if detail := cmp.Or(h.Cause, h.Lacks); detail != "" {
		return string(h.State) + ": " + detail
	}
	return string(h.State)
}

// The least that a token has to be granted.
const (
	nodeWriteRule = `node { policy = "write" }`
	readJobRule   = `namespace %q { capabilities = ["read-job"] }`
)

// PolicyNeeded is all of it.
var PolicyNeeded = nodeWriteRule + " " + fmt.Sprintf(readJobRule, everyNamespace)

func healthRefused(err error) Health {
	if errors.Is(err, ErrLoginRefused) {
		return Health{State: HealthLoginRefused, Cause: Cause(err)}
	}
	return Health{State: HealthTokenRefused, Cause: Cause(err)}
}

// unverifiable is when nothing could be learnt of the token.
func unverifiable(err error) Health {
	if fault, is := faultOf(err); is {
		return fault
	}
	return Health{State: HealthTokenUnverifiable, Cause: Cause(err), Passes: errors.Is(err, ErrUnreachable)}
}

// healthOf turns what the token grants into a verdict. Read-job comes first: without it busy nodes look empty.
func healthOf(g grants) Health {
	switch {
	case len(g.hiddenNamespaces) > 0:
		return Health{State: HealthTokenLacksReadJob, Lacks: clipText(readJobRules(g.hiddenNamespaces))}
	case !g.nodeWrite:
		return Health{State: HealthTokenLacksNodeWrite, Lacks: nodeWriteRule}
	}
	return Health{State: HealthReachable}
}

func readJobRules(namespaces []string) string {
	var rules []string
	for _, ns := range namespaces {
		rules = append(rules, fmt.Sprintf(readJobRule, ns))
	}
	return strings.Join(rules, " ")
}

// healthFrom combines the error of the latest list with the latest check of the token. An error of the list is the
// newer fact and wins.
func healthFrom(listErr error, token Health) Health {
	fault, is := faultOf(listErr)
	switch {
	case errors.Is(listErr, ErrForbidden) && (token.OK() || errors.Is(listErr, ErrLoginRefused)):
		return healthRefused(listErr)
	case errors.Is(listErr, ErrForbidden):
		return token
	case errors.Is(listErr, errTooManyNodes):
		return Health{State: HealthTooManyNodes}
	case is:
		return fault
	case listErr != nil:
		return Health{State: HealthUnreachable, Cause: Cause(listErr)}
	}
	return token
}
