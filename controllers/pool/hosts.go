package pool

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

const (
	// upgradeNamespace and latestUpgradeLabel find the Upgrade that counts; older ones are kept as history.
	// Harvester: pkg/controller/master/upgrade/upgrade_controller.go.
	upgradeNamespace   = "harvester-system"
	latestUpgradeLabel = "harvesterhci.io/latestUpgrade"
	// maintainAnnotation is on a host from when its maintenance is asked for until it is over.
	// Harvester: pkg/controller/master/node/maintain_controller.go.
	maintainAnnotation = "harvesterhci.io/maintain-status"
)

var (
	upgradeList = schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1", Kind: "UpgradeList"}
	// upgradePlanList is of the second way to upgrade Harvester, its add-on harvester-upgrade-manager, since 1.8.
	// Harvester: upgrade-toolkit, api/v1beta1/upgradeplan_types.go.
	upgradePlanList = schema.GroupVersionKind{Group: "management.harvesterhci.io", Version: "v1beta1",
		Kind: "UpgradePlanList"}
)

// +kubebuilder:rbac:groups=harvesterhci.io,resources=upgrades,verbs=list
// +kubebuilder:rbac:groups=management.harvesterhci.io,resources=upgradeplans,verbs=list
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get

// hosts remembers what Harvester does with its hosts and itself: a pool with members that are slow to join, or don't
// work, is reconciled for each change of each of them.
type hosts struct {
	upgrade     kube.Recent[struct{}, *pool.Upgrade]
	maintenance kube.Recent[string, bool]
}

// observeHosts reads what Harvester does with its hosts while members are slow to join, or don't work: the hosts may be
// the cause. What is remembered isn't enough before somebody is replaced: then it is read anew.
func (r *Reconciler) observeHosts(ctx context.Context, s *scope, anew bool) error {
	if !pool.NeedsHosts(s.snapshot) {
		return nil
	}
	now := s.snapshot.Now
	upgrade, err := r.hosts.upgrade.Read(struct{}{}, now, anew,
		func() (*pool.Upgrade, error) { return upgrading(ctx, r.Live) })
	if err != nil {
		return err
	}
	s.snapshot.Upgrade = upgrade
	hosts := slices.Clone(s.snapshot.Suspension.Hosts) // of which members may work again, or be elsewhere
	for i := range s.snapshot.Members {
		if m := &s.snapshot.Members[i]; m.Host != "" && !m.Leaving && !m.Ready {
			hosts = append(hosts, m.Host)
		}
	}
	slices.Sort(hosts)
	for _, host := range slices.Compact(hosts) {
		is, err := r.hosts.maintenance.Read(host, now, anew, func() (bool, error) { return maintained(ctx, r.Live, host) })
		if err != nil {
			return err
		}
		if is {
			s.snapshot.HostsInMaintenance = append(s.snapshot.HostsInMaintenance, host)
		}
	}
	for i := range s.snapshot.Members {
		m := &s.snapshot.Members[i]
		m.HostMaintenance = !m.Leaving && !m.Ready && slices.Contains(s.snapshot.HostsInMaintenance, m.Host)
	}
	s.snapshot.HostsKnown = true
	return nil
}

// upgrading returns the upgrade of Harvester that is under way, in one of its two ways; nil: none.
func upgrading(ctx context.Context, from client.Reader) (*pool.Upgrade, error) {
	upgrades, err := listed(ctx, from, upgradeList, client.InNamespace(upgradeNamespace),
		client.MatchingLabels{latestUpgradeLabel: "true"})
	if err != nil {
		return nil, fmt.Errorf("listing Harvester's upgrades: %w", err)
	}
	for i := range upgrades {
		// Unknown until it has succeeded or failed, and not there at first.
		if completed := preflight.ConditionStatus(&upgrades[i], "Completed"); completed != "True" && completed != "False" {
			name := upgrades[i].GetName()
			return &pool.Upgrade{
				Name: "Upgrade " + upgradeNamespace + "/" + name,
				End:  "kubectl -n " + upgradeNamespace + " delete upgrades.harvesterhci.io " + name,
			}, nil
		}
	}
	plans, err := listed(ctx, from, upgradePlanList)
	if err != nil {
		return nil, fmt.Errorf("listing Harvester's upgrade plans: %w", err)
	}
	for i := range plans {
		if preflight.ConditionStatus(&plans[i], "Progressing") == "True" {
			name := plans[i].GetName()
			return &pool.Upgrade{Name: "UpgradePlan " + name,
				End: "kubectl delete upgradeplans.management.harvesterhci.io " + name}, nil
		}
	}
	return nil, nil
}

// listed returns the objects of a kind; none if the cluster doesn't have the kind.
func listed(ctx context.Context, from client.Reader, kind schema.GroupVersionKind,
	opts ...client.ListOption) ([]unstructured.Unstructured, error) {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(kind)
	err := from.List(ctx, l, opts...)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	return l.Items, err
}

func maintained(ctx context.Context, from client.Reader, host string) (bool, error) {
	n := &corev1.Node{}
	if err := from.Get(ctx, client.ObjectKey{Name: host}, n); err != nil {
		return false, client.IgnoreNotFound(fmt.Errorf("reading host %s: %w", host, err))
	}
	return n.Annotations[maintainAnnotation] != "", nil
}
