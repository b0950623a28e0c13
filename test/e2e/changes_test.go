package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
)

// generation is the key of the client's meta by which tests make a template another one.
const generation = "generation"

// ofGeneration gives a pool a template of its own generation.
func ofGeneration(name string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Meta = map[string]string{generation: name} }
}

// changes makes several changes one.
func changes(all ...func(*v1alpha1.NomadNodePool)) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) {
		for _, c := range all {
			c(p)
		}
	}
}

// orders are the members of a pool by name, with the reason why each is to leave; empty: it isn't.
func orders(nodes []v1alpha1.NomadNode) map[string]string {
	out := map[string]string{}
	for _, n := range nodes {
		out[n.Name] = ""
		if n.DeletionTimestamp != nil {
			out[n.Name] = "deleted"
		}
		if n.Spec.Drain != nil {
			out[n.Name] = string(n.Spec.Drain.Reason)
		}
	}
	return out
}

// ordered is satisfied when as many members as given are to leave for a reason.
func requested(reason v1alpha1.DrainReason, n int) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		got := 0
		for _, r := range orders(nodes) {
			if r == string(reason) {
				got++
			}
		}
		if got != n {
			return fmt.Errorf("not %d to leave for %s: %v", n, reason, orders(nodes))
		}
		return nil
	}
}

// are is satisfied when a pool has exactly the members, asked to leave as given.
func are(want map[string]string) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if got := orders(nodes); !maps.Equal(got, want) {
			return fmt.Errorf("the members are %v, not %v", got, want)
		}
		return nil
	}
}

// rests checks that for some time nobody is made, asked to leave or has its drain canceled.
func rests(t *testing.T, pool string, during time.Duration) {
	t.Helper()
	stays(t, pool, "the pool rests", during, are(orders(members(t, pool))))
}

// newGuests matches the VMs of a pool, but those that there are now.
func newGuests(t *testing.T, pool string) hypervisor.Match {
	t.Helper()
	known := map[string]bool{}
	for _, vm := range vms(t, pool) {
		known[vm.Name] = true
	}
	return func(vm types.NamespacedName) bool { return strings.HasPrefix(vm.Name, pool+"-") && !known[vm.Name] }
}

// allocationStates are the allocations of a job, each with its state.
func allocationStates(t *testing.T, job string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, a := range allocations(t, job) {
		out[a.ID] = a.ClientStatus + "/" + a.DesiredStatus
	}
	return out
}
