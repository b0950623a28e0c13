package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

const (
	// upgradeNamespace and latestUpgradeLabel find the Upgrade that counts; older ones are kept for the record.
	// Harvester: pkg/controller/master/upgrade/upgrade_controller.go.
	upgradeNamespace   = "harvester-system"
	latestUpgradeLabel = "harvesterhci.io/latestUpgrade"
	// maintainAnnotation is on a host from when its maintenance is asked for until it is over.
	// Harvester: pkg/controller/master/node/maintain_controller.go.
	maintainAnnotation = "harvesterhci.io/maintain-status"
)

var upgradeList = schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1", Kind: "UpgradeList"}

// +kubebuilder:rbac:groups=harvesterhci.io,resources=upgrades,verbs=list
// +kubebuilder:rbac:groups="",resources=nodes,verbs=get

// observeHosts looks at what Harvester does with its hosts, if members are about to be replaced because they don't work:
// then their hosts may be the cause.
func (r *NomadNodePoolReconciler) observeHosts(ctx context.Context, s *poolScope) error {
	if !pool.NeedsHosts(s.snapshot) {
		return nil
	}
	var err error
	if s.snapshot.Upgrading, err = upgrading(ctx, r.Live); err != nil {
		return err
	}
	inMaintenance := map[string]bool{}
	for i := range s.snapshot.Members {
		m := &s.snapshot.Members[i]
		host := m.Host
		if host == "" || m.Leaving || m.Ready {
			continue
		}
		if _, asked := inMaintenance[host]; !asked {
			if inMaintenance[host], err = maintained(ctx, r.Live, host); err != nil {
				return err
			}
		}
		m.HostMaintenance = inMaintenance[host]
	}
	s.snapshot.HostsKnown = true
	return nil
}

// upgrading is true while an Upgrade is under way: its Completed condition is Unknown until it has succeeded or failed.
func upgrading(ctx context.Context, from client.Reader) (bool, error) {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(upgradeList)
	err := from.List(ctx, l, client.InNamespace(upgradeNamespace), client.MatchingLabels{latestUpgradeLabel: "true"})
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return false, nil // a Kubernetes without Harvester's upgrades
	case err != nil:
		return false, fmt.Errorf("listing Harvester's upgrades: %w", err)
	}
	for i := range l.Items {
		if !finished(&l.Items[i]) {
			return true, nil
		}
	}
	return false, nil
}

func finished(upgrade *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(upgrade.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Completed" {
			return c["status"] == "True" || c["status"] == "False"
		}
	}
	return false
}

func maintained(ctx context.Context, from client.Reader, host string) (bool, error) {
	n := &corev1.Node{}
	if err := from.Get(ctx, client.ObjectKey{Name: host}, n); err != nil {
		return false, client.IgnoreNotFound(fmt.Errorf("reading host %s: %w", host, err))
	}
	return n.Annotations[maintainAnnotation] != "", nil
}
