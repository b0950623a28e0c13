package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// drainingMembers is how many drain while requests to Nomad are counted, if there are so many.
const drainingMembers = 20

// measureRequests counts what the controller asks of Nomad in a minute, idle and with members that drain.
func (l *large) measureRequests(ctx context.Context, costs *sizeCosts) error {
	sleep(ctx, restTime)
	before, start := len(l.env.APIFaults.Writes()), time.Now()
	costs.idle = l.countMinute(ctx, "idle")
	if costs.members >= slices.Max(l.sizes) {
		sleep(ctx, l.idle-time.Since(start))
	}
	costs.idleFor = time.Since(start).Round(time.Second)
	costs.idleWrites, _ = l.writes(before, 1)
	p := slices.MaxFunc(l.pools, func(a, b loaded) int { return len(a.members) - len(b.members) })
	n := min(drainingMembers, len(p.members))
	chosen, err := l.busy(ctx, p, n)
	if err != nil {
		return err
	}
	if err := l.drainMembers(ctx, p, chosen); err != nil {
		return err
	}
	sleep(ctx, 2*restTime) // the drains have been sent, and what they changed has been seen
	costs.draining = l.countMinute(ctx, fmt.Sprintf("%d drain", n))
	return l.recallAndEnd(ctx, p)
}

func (l *large) countMinute(ctx context.Context, what string) float64 {
	start := time.Now()
	sleep(ctx, time.Minute)
	count, kinds := l.nomad.since(start)
	l.log("%d members, %s: %d requests to Nomad in %.0f s: %v", l.members, what, count, time.Since(start).Seconds(), kinds)
	return float64(count) * time.Minute.Seconds() / time.Since(start).Seconds()
}

// busy has work run on some members of a pool that a drain lets run to its end, and returns which.
func (l *large) busy(ctx context.Context, p loaded, n int) ([]string, error) {
	allocs, err := l.occupyWhere(ctx, p.name, largeNodePool, n,
		api.NewConstraint("${meta."+nomad.MetaPoolUID+"}", "=", p.uid))
	names := map[string]bool{}
	for _, a := range allocs {
		names[a.NodeName] = true
	}
	return slices.Collect(maps.Keys(names)), err
}

// drainMembers has a pool give up certain members, and waits until their nodes drain.
func (l *large) drainMembers(ctx context.Context, p loaded, names []string) error {
	mark := client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:""}}}`, v1alpha1.DeleteNextAnnotation))
	for _, name := range names {
		n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name}}
		if err := l.client.Patch(ctx, n, mark); err != nil {
			return err
		}
	}
	if err := l.scale(ctx, l.poolOf(p), len(p.members)-len(names)); err != nil {
		return err
	}
	return l.awaitDrains(ctx, p, len(names))
}

// recall has a pool keep the members that drain.
func (l *large) recall(ctx context.Context, p loaded) error {
	if err := l.scale(ctx, l.poolOf(p), len(p.members)); err != nil {
		return err
	}
	return l.awaitDrains(ctx, p, 0)
}

// recallAndEnd ends the work, too, that kept the members there.
func (l *large) recallAndEnd(ctx context.Context, p loaded) error {
	if err := l.recall(ctx, p); err != nil {
		return err
	}
	_, _, err := l.env.Nomad.Jobs().Deregister(p.name, false, nil)
	return err
}

func (l *large) poolOf(p loaded) *v1alpha1.NomadNodePool {
	return &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: p.name}}
}

// awaitDrains waits until so many nodes of a pool drain, and no other member has a drain request.
func (l *large) awaitDrains(ctx context.Context, p loaded, n int) error {
	return l.await(ctx, fmt.Sprintf("%d nodes of pool %s to drain", n, p.name), func(ctx context.Context) error {
		var members v1alpha1.NomadNodeList
		if err := l.client.List(ctx, &members, ofPool(p.name)...); err != nil {
			return err
		}
		asked, draining := 0, 0
		for _, m := range members.Items {
			if m.Spec.Drain != nil {
				asked++
			}
			if m.Status.Nomad.Status == "draining" {
				draining++
			}
		}
		if asked != n || draining != n || len(members.Items) != len(p.members) {
			return fmt.Errorf("%d of %d members have a drain request, %d drain", asked, len(members.Items), draining)
		}
		return nil
	})
}

// requestRows are those of the requests at one size.
func requestRows(c sizeCosts) []row {
	if c.draining == 0 {
		return nil
	}
	return []row{
		{ID: "P5", What: fmt.Sprintf("requests to Nomad a minute, %d members: idle", c.members), Unit: "requests",
			Controller: []float64{c.idle}, Target: "<= 2", Limit: 2},
		{ID: "P5", What: fmt.Sprintf("requests to Nomad a minute, %d members: %d drain", c.members,
			min(c.members, drainingMembers)), Unit: "requests", Controller: []float64{c.draining}, Target: "<= 60", Limit: 60},
		{ID: "P6", What: fmt.Sprintf("writes of an idle controller in %s, %d members", c.idleFor, c.members), Unit: "writes",
			Controller: []float64{c.idleWrites}, Target: "0", Limit: 0},
	}
}
