package pool

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

func joinsHealthy(x *index, p Plan) metav1.Condition {
	switch {
	case x.Joins.BreakerOpen():
		return condition.False(v1alpha1.ReasonJoinsFailing, fmt.Sprintf(
			"At least the last %d members didn't join Nomad within health.joinTimeout, so none is made or replaced any more."+
				" %s Then correct spec.template or spec.nomad; or, if the cause lay elsewhere, have it tried again: kubectl annotate "+
				"nnp POOL %s=\"$(date)\" --overwrite. %s",
			breakerOpensAt, keptVMs(x), v1alpha1.RetryJoinsAnnotation, condition.Servers(x.Servers, x.NomadLeader)))
	case joinsFail(x):
		return condition.False(v1alpha1.ReasonJoinTimeouts,
			"A member that should have joined Nomad didn't within health.joinTimeout. "+nextOfLate(x, p)+
				" Look at its console in Harvester, and at kubectl describe nn. "+condition.Servers(x.Servers, x.NomadLeader))
	case x.Joins.flaky():
		return condition.False(v1alpha1.ReasonJoinTimeouts,
			"At least half of the last members didn't join Nomad within health.joinTimeout, though others did; "+
				"see status.joins.")
	default:
		return condition.True(v1alpha1.ReasonAsExpected, "Members join Nomad in time.")
	}
}

// joinsFail reports whether members fail to join at present. A failure that is over isn't reported any more: all
// members have joined since, or the one that failed isn't wanted any more.
func joinsFail(x *index) bool {
	if slices.ContainsFunc(x.joinExpired, func(m *Member) bool { return m.Blocked == nil }) {
		return true
	}
	n, _ := x.Joins.failures()
	return n > 0 && (awaitsMembers(x) || leavesFor(x, v1alpha1.DrainJoinTimeout))
}

// awaitsMembers reports whether members must join for the pool to be as it is asked for.
func awaitsMembers(x *index) bool {
	joined := 0
	for _, m := range x.active {
		if m.Joined {
			joined++
		}
	}
	return joined < x.Replicas || len(x.outdated) > 0
}

// maxNamed is how many of the VMs that are kept are named.
const maxNamed = 5

// keptVMs returns the words that name the VMs that are kept, so that people can inspect them. Those of the first
// members that failed may be gone: they were replaced before it was plain that the template is the cause.
func keptVMs(x *index) string {
	var kept []string
	for _, m := range x.joinExpired {
		if m.VMMade {
			kept = append(kept, m.Name)
		}
	}
	switch n := len(kept); {
	case n == 0:
		return "None of their VMs is left."
	case n == 1:
		return "Of their VMs " + kept[0] + " is left, and kept: look at its console in Harvester, and at " +
			"kubectl describe nn " + kept[0] + "."
	case n > maxNamed:
		kept = append(kept[:maxNamed], "and others (kubectl get nn)")
	}
	return "These VMs are kept: " + strings.Join(kept, ", ") +
		". Look at the console of one in Harvester, and at kubectl describe nn."
}

// nextOfLate returns the words on what happens next to a member that didn't join in time: to the first by name that
// stays, or, if none does, to all of them.
func nextOfLate(x *index, p Plan) string {
	var first *Member
	leaving := setOf(p.Failed, p.Victims)
	for _, m := range x.joinExpired {
		if m.Blocked == nil && !leaving[m.Name] {
			first = m
			break
		}
	}
	switch {
	case first == nil:
		return "It is replaced."
	case first.Protected:
		return "It stays, because it carries the annotation " + v1alpha1.ProtectAnnotation + "."
	case first.Halted:
		return "It stays, because its VM is halted."
	case first.HostMaintenance:
		return "It stays while its host is in maintenance."
	case p.RepairBlocked != nil:
		return "It stays for now. " + p.RepairBlocked.Message
	default:
		return "It is replaced when its turn comes."
	}
}
