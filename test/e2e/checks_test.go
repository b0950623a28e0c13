package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

type check = func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error

var errNotYet = errors.New("not yet")

// lasts is satisfied when a check has been satisfied each time for a while.
func lasts(d time.Duration, c check) check {
	var since time.Time
	return func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if err := c(p, nodes); err != nil {
			since = time.Time{}
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if left := d - time.Since(since); left > 0 {
			return fmt.Errorf("has held, and must for %s more", left)
		}
		return nil
	}
}

// atMost is satisfied while a pool has no more than n members and VMs.
func atMost(t *testing.T, n int) check {
	return func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if got := len(vms(t, p.Name)); got > n || len(nodes) > n {
			return fmt.Errorf("%d VMs and %d members, more than %d", got, len(nodes), n)
		}
		return nil
	}
}

// nomadStatus is satisfied when n members have a status in Nomad.
func nomadStatus(status string, n int) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		var got []string
		for _, m := range nodes {
			if m.Status.Nomad.Status == status {
				got = append(got, m.Name)
			}
		}
		if len(got) != n {
			return fmt.Errorf("%v are %s", got, status)
		}
		return nil
	}
}

// memberSays is satisfied when n members of a pool have a condition with a reason and a message that holds the words.
func memberReports(n int, condition, reason, words string) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		got, all := 0, []string{}
		for _, m := range nodes {
			c := memberCondition(m, condition)
			if c.Reason == reason && strings.Contains(c.Message, words) {
				got++
			}
			all = append(all, fmt.Sprintf("%s: %s: %s", m.Name, c.Reason, c.Message))
		}
		if got != n {
			return fmt.Errorf("%d say so; %s are %q", got, condition, all)
		}
		return nil
	}
}

func drained(n v1alpha1.NomadNode) bool {
	return meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.NodeDrainCompleted)
}

func vmUIDs(t *testing.T, pool string) map[types.UID]bool {
	t.Helper()
	out := map[types.UID]bool{}
	for _, vm := range vms(t, pool) {
		out[vm.UID] = true
	}
	return out
}

// both is satisfied when two checks are at the same look.
func both(a, b check) check {
	return func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if err := a(p, nodes); err != nil {
			return err
		}
		return b(p, nodes)
	}
}

// without is satisfied when a pool has no member of a name.
func without(name string) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		for _, n := range nodes {
			if n.Name == name {
				return fmt.Errorf("%s is still there: %+v", name, n.Status)
			}
		}
		return nil
	}
}

// eventuallyGone waits until no NomadNode of a pool is left: neither its own nor a member's.
func eventuallyGone(t *testing.T, pool string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, 100*time.Millisecond, "the end of pool "+pool, func(ctx context.Context) error {
		if left := objects(t, &v1alpha1.NomadNodeList{}, pool); len(left) > 0 {
			return fmt.Errorf("%d members are left", len(left))
		}
		if _, _, err := read(ctx, pool); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the pool is left (%w)", err)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(t.Context(), pool))
	}
}
