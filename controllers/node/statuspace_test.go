package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// A write of its own is for what somebody acts on, or a later step rests on.
func TestDetailsOfAStatus(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: 1}
	}
	joining := condition(v1alpha1.NodeJoined, metav1.ConditionFalse, v1alpha1.ReasonJoining, "waits")
	joined := condition(v1alpha1.NodeJoined, metav1.ConditionTrue, v1alpha1.ReasonJoined, "")
	unready := condition(v1alpha1.NodeReady, metav1.ConditionFalse, v1alpha1.ReasonJoining, "")
	late := condition(v1alpha1.NodeReady, metav1.ConditionFalse, v1alpha1.ReasonJoinTimeout, "")
	booting := v1alpha1.NomadNodeStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{joining, unready}}
	ready := *booting.DeepCopy()
	ready.JoinedTime = &metav1.Time{Time: now}
	ready.Nomad.ShortID, ready.Nomad.Cluster = "aaaaaaaa", "http://nomad"
	ready.Conditions = []metav1.Condition{joined}
	drained := *ready.DeepCopy()
	drained.DrainResult = v1alpha1.DrainEmpty

	for name, c := range map[string]struct {
		before v1alpha1.NomadNodeStatus
		change func(*v1alpha1.NomadNodeStatus)
		want   bool
	}{
		"words": {booting, func(s *v1alpha1.NomadNodeStatus) { s.Conditions[0].Message = "still waits" }, true},
		"registered": {booting, func(s *v1alpha1.NomadNodeStatus) {
			s.Nomad.ShortID, s.Nomad.Cluster, s.Nomad.Status = "aaaaaaaa", "http://nomad", "initializing"
			s.Conditions[0] = joined
		}, false},
		"ready":        {booting, func(s *v1alpha1.NomadNodeStatus) { *s = ready }, false},
		"late":         {booting, func(s *v1alpha1.NomadNodeStatus) { s.Conditions[1] = late }, false},
		"in time":      {booting, func(s *v1alpha1.NomadNodeStatus) { s.Phase = v1alpha1.NodeJoining }, false},
		"elsewhere":    {ready, func(s *v1alpha1.NomadNodeStatus) { s.Nomad.Cluster = "http://other" }, false},
		"gone":         {ready, func(s *v1alpha1.NomadNodeStatus) { s.Conditions[0].Status = metav1.ConditionFalse }, false},
		"deleted":      {drained, func(s *v1alpha1.NomadNodeStatus) { observe(s, 2) }, true},
		"changed":      {ready, func(s *v1alpha1.NomadNodeStatus) { observe(s, 2) }, false},
		"drained":      {ready, func(s *v1alpha1.NomadNodeStatus) { *s = drained }, false},
		"drained once": {drained, func(s *v1alpha1.NomadNodeStatus) { s.DrainResult = "" }, false},
		"unhealthy":    {ready, func(s *v1alpha1.NomadNodeStatus) { s.UnhealthyTime = &metav1.Time{Time: now.Add(time.Hour)} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			after := *c.before.DeepCopy()
			c.change(&after)
			if got := onlyDetails(c.before, after); got != c.want {
				t.Errorf("only details: %t", got)
			}
		})
	}
}

func observe(s *v1alpha1.NomadNodeStatus, generation int64) {
	s.ObservedGeneration = generation
	for i := range s.Conditions {
		s.Conditions[i].ObservedGeneration = generation
	}
}

func TestDetailsRest(t *testing.T) {
	joined := func(is *nodestate.Node) { is.Joined = true }
	for name, c := range map[string]struct {
		node func(*nodestate.Node)
		want time.Duration
	}{
		"it starts":           {func(*nodestate.Node) {}, startInterval},
		"it never joined":     {func(is *nodestate.Node) { is.Drain = &v1alpha1.DrainRequest{} }, detailInterval},
		"it works":            {joined, detailInterval},
		"it is being removed": {func(is *nodestate.Node) { is.Joined, is.Drained = true, true }, removalInterval},
	} {
		t.Run(name, func(t *testing.T) {
			n := &v1alpha1.NomadNode{}
			s := &scope{node: n, observed: nodestate.State{Now: now}}
			c.node(&s.observed.Node)
			r := &Reconciler{}
			details := v1alpha1.NomadNodeStatus{VM: v1alpha1.VMStatus{Status: "Starting"}}
			if got := r.rest(s, details); got != 0 {
				t.Errorf("the first details rest for %s", got)
			}
			r.pace.Wrote(client.ObjectKeyFromObject(n), now)
			if got := r.rest(s, details); got != c.want {
				t.Errorf("details rest for %s", got)
			}
			details.Phase = v1alpha1.NodeJoining
			if got := r.rest(s, details); got != 0 {
				t.Errorf("a phase rests for %s", got)
			}
		})
	}
}
