package orphan

import (
	"cmp"
	"slices"
	"time"
)

// Seen is what earlier looks found. The zero value is that of a controller that has just started.
type Seen struct {
	last  time.Time
	since map[kindKey]time.Time
}

type kindKey struct {
	Kind
	Key
}

// Plan is what to do about leftovers.
type Plan struct {
	// Remove in this order. The Secret of a member comes before the claims and the Nomad node, by which alone it is found.
	Remove []Resource
	// Tell of these. They are named once only.
	Tell []Resource
}

// Suspects are the leftovers without a record, of pools that don't mind, and the records without a pool. Of claims
// and VMs, which are in this Kubernetes cluster, no pool need exist any more. A Nomad node whose pool isn't here may
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

// Decide says what to do now, and what to remember until the next look. Grace is for how long a leftover must have been
// one, at every look.
func Decide(o Observed, seen Seen, grace time.Duration) (Plan, Seen) {
	var plan Plan
	next := Seen{last: o.Now, since: map[kindKey]time.Time{}}
	for _, l := range Suspects(o) {
		if l.Removable() && (o.Machines[l.Owner()] || o.Mentioned[l.Key]) {
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
		case o.Now.Before(due), l.Unasked:
		case l.Removable():
			plan.Remove = append(plan.Remove, l)
		case !known || due.After(seen.last):
			plan.Tell = append(plan.Tell, l)
		}
	}
	plan.Remove = ordered(append(secrets(o, plan.Remove), plan.Remove...))
	return plan, next
}

// secrets are the cloud-init Secrets of the members of which something is removed. They are found by it alone,
// because the controller may not list Secrets.
func secrets(o Observed, of []Resource) []Resource {
	var out []Resource
	found := map[Key]bool{}
	for _, l := range of {
		name := Key{l.Namespace, l.Secret}
		if l.Secret == "" || found[name] || o.Mentioned[name] {
			continue
		}
		found[name] = true
		out = append(out, Resource{Kind: Secret, Key: name, Member: l.Member, PoolUID: l.PoolUID, Secret: l.Secret})
	}
	return out
}

func ordered(ls []Resource) []Resource {
	rank := map[Kind]int{Secret: 0, Claim: 1, ClientNode: 2}
	slices.SortFunc(ls, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name))
	})
	return ls
}
