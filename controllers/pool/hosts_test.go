package pool

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

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
