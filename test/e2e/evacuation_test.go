package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// kubectl drain of a host evicts the pods of its VMs. KubeVirt leaves those with evictionStrategy External to us: the
// member is drained in Nomad before its guest stops, and replaced.
func TestHostIsFreedWithoutLosingWork(t *testing.T) {
	t.Parallel()
	create(t, newPool("evicted", 2, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Template.VirtualMachine = &runtime.RawExtension{
			Raw: []byte(`{"template":{"spec":{"evictionStrategy":"External"}}}`),
		}
	}))
	eventually(t, "evicted", "the pool to settle", time.Minute, allReady(2))
	service(t, "evicted", "evicted-service", 2)
	leaving := members(t, "evicted")[0]
	evict(t, leaving.Name)
	eventually(t, "evicted", "the member to be ordered to leave", 30*time.Second, requested(v1alpha1.DrainEvacuation, 1))
	eventually(t, "evicted", "an event", 10*time.Second, eventAbout(t, leaving.Name, "Evacuating"))
	eventually(t, "evicted", "the member to be replaced", time.Minute, both(without(leaving.Name), allReady(2)))
	running(t, "evicted-service", 2)
	if noneLost(t, "evicted-service") != 1 {
		t.Error("the member's allocation wasn't moved")
	}
	onlyMembersLeft(t, "evicted")
}

// The members of a template that says nothing of evictions are migrated by KubeVirt when their host is to be freed:
// work runs on, Nomad sees nothing, and nobody leaves.
func TestMigratedMembersStay(t *testing.T) {
	t.Parallel()
	create(t, newPool("migrated", 2))
	eventually(t, "migrated", "the pool to settle", time.Minute, allReady(2))
	batch(t, "migrated", "migrated-batch", 2, forever)
	work, uids := allocationStates(t, "migrated-batch"), vmUIDs(t, "migrated")
	nodes := members(t, "migrated")
	evict(t, nodes[0].Name)
	eventually(t, "migrated", "the member to be on another host", time.Minute,
		func(_ *v1alpha1.NomadNodePool, now []v1alpha1.NomadNode) error {
			if from, host := nodes[0].Status.VM.Host, now[0].Status.VM.Host; now[0].Name != nodes[0].Name || host == "" ||
				host == from {
				return fmt.Errorf("it was on %s and is on %s", from, host)
			}
			return nil
		})
	stays(t, "migrated", "all stay", 2*time.Second, both(allReady(2), both(requested("", 2), sameVMs(t, nodes, uids))))
	if got := allocationStates(t, "migrated-batch"); !maps.Equal(got, work) {
		t.Errorf("the allocations are %v, not %v", got, work)
	}
	for _, n := range nomadNodes("migrated") {
		if n.LastDrain != nil || n.SchedulingEligibility != api.NodeSchedulingEligible {
			t.Errorf("Nomad node %s is %s, its last drain %+v", n.Name, n.SchedulingEligibility, n.LastDrain)
		}
	}
}

// evict asks for the eviction of a VM's pod, as kubectl drain does, and expects KubeVirt to refuse it and to take note.
func evict(t *testing.T, vm string) {
	t.Helper()
	var pods corev1.PodList
	if err := w.Client.List(t.Context(), &pods, client.InNamespace(fixtures.Namespace),
		client.MatchingLabels{"vm.kubevirt.io/name": vm}); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("%d pods of VM %s", len(pods.Items), vm)
	}
	pod := &pods.Items[0]
	err := w.Client.SubResource("eviction").
		Create(t.Context(), pod, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}})
	if err == nil || !strings.Contains(err.Error(), "evacuation") {
		t.Fatalf("the eviction was not left to others: %v", err)
	}
}
