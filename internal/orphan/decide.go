package orphan

import (
	"cmp"
	"slices"
	"time"
)

// Seen is what earlier observations found. The zero value is that of a controller that has just started.
type Seen struct {
	last  time.Time
	since map[kindKey]time.Time
}

type kindKey struct {
	Kind
	Key
}

// Plan is what to do about orphaned resources.
type Plan struct {
	// Remove in this order. A member's Secret comes before the claims and the Nomad node, because only their names lead to
	// it.
	Remove []Resource
	// Report these. They are in a plan only once.
	Report []Resource
}

// Suspects are the resources without a NomadNode whose pool isn't paused, and the NomadNodes without a pool. Claims and
// VMs are in this Kubernetes cluster, so their pool need not exist any more. A Nomad node whose pool isn't here may
// belong to the controller of another Harvester.
func Suspects(o Observed) []Resource {
	var out []Resource
	for _, l := range o.Resources {
		pool, exists := o.Pools[l.PoolUID]
		switch {
		case l.PoolUID == "", l.Member == "", pool.Paused:
		case l.Kind == NomadNode && exists, l.Kind != NomadNode && o.Members[l.Owner()]:
		case l.Kind == ClientNode && (!exists || pool.KeepsNodes || o.NodeIDs[l.Name]):
		default:
			out = append(out, l)
		}
	}
	return out
}

// Decide returns what to do now, and what to remember until the next observation. grace is for how long a resource must
// have been orphaned, at every observation.
func Decide(o Observed, seen Seen, grace time.Duration) (Plan, Seen) {
	var plan Plan
	next := Seen{last: o.Now, since: map[kindKey]time.Time{}}
	for _, l := range Suspects(o) {
		if l.Removable() && (o.VMs[l.Owner()] || o.Referenced[l.Key]) {
			continue
		}
		k := kindKey{l.Kind, l.Key}
		since, known := seen.since[k]
		if !known {
			since = o.Now
		}
		next.since[k] = since
		due := since.Add(grace)
		switch {
		case o.Now.Before(due), l.NotAsked:
		case l.Removable():
			plan.Remove = append(plan.Remove, l)
		case !known || due.After(seen.last):
			plan.Report = append(plan.Report, l)
		}
	}
	plan.Remove = inOrder(append(secrets(o, plan.Remove), plan.Remove...))
	return plan, next
}

// secrets are the cloud-init Secrets of the members that lose a claim or a Nomad node. Only these lead to the Secrets,
// because the controller may not list Secrets.
func secrets(o Observed, of []Resource) []Resource {
	var out []Resource
	found := map[Key]bool{}
	for _, l := range of {
		name := Key{l.Namespace, l.Secret}
		if l.Secret == "" || found[name] || o.Referenced[name] {
			continue
		}
		found[name] = true
		out = append(out, Resource{Kind: Secret, Key: name, Member: l.Member, PoolUID: l.PoolUID, Secret: l.Secret})
	}
	return out
}

func inOrder(ls []Resource) []Resource {
	rank := map[Kind]int{Secret: 0, Claim: 1, ClientNode: 2}
	slices.SortFunc(ls, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name))
	})
	return ls
}
