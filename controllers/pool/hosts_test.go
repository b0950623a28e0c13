package pool

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestUpgradesOfHarvesterAreSeen(t *testing.T) {
	upgrade := func(completed string) client.Object {
		u := harvesterObject(upgradeList, upgradeNamespace, "hvst-upgrade-x7k2p", "Completed", completed)
		u.SetLabels(map[string]string{latestUpgradeLabel: "true"})
		return u
	}
	plan := func(progressing string) client.Object {
		return harvesterObject(upgradePlanList, "", "v1.9.0", "Progressing", progressing)
	}
	old := harvesterObject(upgradeList, upgradeNamespace, "hvst-upgrade-older", "Completed", "Unknown")
	running := &pool.Upgrade{Name: "Upgrade harvester-system/hvst-upgrade-x7k2p",
		End: "kubectl -n harvester-system delete upgrades.harvesterhci.io hvst-upgrade-x7k2p"}
	planned := &pool.Upgrade{Name: "UpgradePlan v1.9.0",
		End: "kubectl delete upgradeplans.management.harvesterhci.io v1.9.0"}
	for name, c := range map[string]struct {
		objects []client.Object
		want    *pool.Upgrade
	}{
		"none":                           {nil, nil},
		"an upgrade":                     {[]client.Object{upgrade("Unknown")}, running},
		"one that has just begun":        {[]client.Object{upgrade("")}, running},
		"one that is over":               {[]client.Object{upgrade("True")}, nil},
		"one that has failed":            {[]client.Object{upgrade("False")}, nil},
		"one of the past":                {[]client.Object{old}, nil},
		"a plan":                         {[]client.Object{upgrade("True"), plan("True")}, planned},
		"a plan that nobody carries out": {[]client.Object{plan("")}, nil},
		"a plan that is over":            {[]client.Object{plan("False")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := meta.NewDefaultRESTMapper(nil)
			for kind, scope := range map[schema.GroupVersionKind]meta.RESTScope{upgradeList: meta.RESTScopeNamespace,
				upgradePlanList: meta.RESTScopeRoot} {
				kind.Kind = kind.Kind[:len(kind.Kind)-len("List")]
				m.Add(kind, scope)
			}
			got, err := upgrading(t.Context(), fake.NewClientBuilder().WithRESTMapper(m).WithObjects(c.objects...).Build())
			if err != nil {
				t.Fatal(err)
			}
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Each change of each member that is slow to join wakes its pool.
func TestHostsAreReadOnceInTwoSeconds(t *testing.T) {
	lists, gets, at := 0, 0, now
	r := &Reconciler{Live: interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			lists++
			return nil
		},
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			gets++
			return nil
		},
	})}
	observe := func(anew bool) {
		down := pool.Member{Name: "a", Host: "host-1", Joined: true, UnhealthyTime: at}
		s := &scope{snapshot: pool.Snapshot{Now: at, Members: []pool.Member{down, down}}}
		if err := r.observeHosts(t.Context(), s, anew); err != nil || !s.snapshot.HostsKnown {
			t.Fatalf("known: %t, %v", s.snapshot.HostsKnown, err)
		}
	}
	for range 3 {
		observe(false)
	}
	if lists != 2 || gets != 1 { // upgrades and plans, and one host
		t.Errorf("%d lists and %d hosts were read, not 2 and 1", lists, gets)
	}
	at = at.Add(2 * time.Second)
	if observe(false); lists != 4 || gets != 2 {
		t.Errorf("later %d lists and %d hosts were read in all, not 4 and 2", lists, gets)
	}
	if observe(true); lists != 6 || gets != 3 {
		t.Errorf("before somebody is replaced %d lists and %d hosts were read in all, not 6 and 3", lists, gets)
	}
}

// A member that works for a moment doesn't end the maintenance of its host: the others' time would begin anew each time.
func TestMaintenanceGoesOnWhileItsMembersWork(t *testing.T) {
	host := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "host-1", Annotations: map[string]string{maintainAnnotation: "running"}}}
	r := &Reconciler{Live: interceptor.NewClient(fake.NewClientBuilder().WithObjects(host).Build(), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return nil },
	})}
	works := pool.Member{Name: "a", Host: host.Name, Joined: true, Ready: true}
	s := &scope{snapshot: pool.Snapshot{Now: now, Members: []pool.Member{works},
		Suspension: pool.Suspension{Hosts: []string{host.Name}}}}
	if err := r.observeHosts(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	if got := s.snapshot.HostsInMaintenance; !slices.Equal(got, []string{host.Name}) || s.snapshot.Members[0].HostMaintenance {
		t.Errorf("hosts in maintenance: %v; the member that works: %t", got, s.snapshot.Members[0].HostMaintenance)
	}
}

func harvesterObject(list schema.GroupVersionKind,
	namespace, name, condition, status string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	list.Kind = list.Kind[:len(list.Kind)-len("List")]
	u.SetGroupVersionKind(list)
	u.SetNamespace(namespace)
	u.SetName(name)
	if status != "" {
		u.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": condition, "status": status}}}
	}
	return u
}
