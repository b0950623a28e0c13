package member_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// anyTime is around now. It draws the moments at which something ends more often than others.
func anyTime(t *rapid.T, label string) time.Time {
	offsets := []time.Duration{-time.Hour, -15 * time.Minute, -10 * time.Minute, -member.ForceGrace, -10 * time.Second,
		-5 * time.Second, 0, time.Second, 10 * time.Minute}
	return now.Add(rapid.SampledFrom(offsets).Draw(t, label)).
		Add(time.Duration(rapid.Int64Range(-1, 1).Draw(t, label+" jitter")))
}

func flag(t *rapid.T, label string) bool { return rapid.Bool().Draw(t, label) }

func anyNode(t *rapid.T) nodestate.Node {
	r := nodestate.Node{
		Created: anyTime(t, "created"), JoinTimeout: joinTimeout, Joined: flag(t, "joined"), Drained: flag(t, "drained"),
		VMMade: flag(t, "VM made"), DeletedByController: flag(t, "deleted by controller"), Purge: flag(t, "purge"),
		Resent: rapid.SampledFrom([]string{"", drainID, "request-0"}).Draw(t, "resent"), ForcedTime: anyTime(t, "forced"),
		Policy: v1alpha1.DrainPolicy{
			IgnoreSystemJobs: flag(t, "ignore system jobs"), Deadline: metav1.Duration{Duration: 15 * time.Minute},
			OnTimeout: rapid.SampledFrom([]v1alpha1.DrainTimeoutAction{v1alpha1.DrainForce, v1alpha1.DrainRetain, ""}).
				Draw(t, "on timeout"),
		},
	}
	if flag(t, "deleted") {
		r.DeletedAt = anyTime(t, "deleted at")
	}
	if flag(t, "drain request") {
		r.Drain = &v1alpha1.DrainRequest{
			ID: drainID, Reason: rapid.SampledFrom([]v1alpha1.DrainReason{v1alpha1.DrainScaleIn, v1alpha1.DrainDeleted}).Draw(t,
				"reason"), Canceled: flag(t, "canceled"),
			OnlyIf: rapid.SampledFrom([]v1alpha1.ScaleInStrategy{"", v1alpha1.Empty, v1alpha1.EmptyIgnoreSystem}).
				Draw(t, "only if"),
			RequestTime: metav1.NewTime(anyTime(t, "requested at")), DeadlineTime: metav1.NewTime(anyTime(t, "deadline")),
		}
	}
	if r.Drained {
		r.DrainedAt, r.DrainResult = anyTime(t,
			"drained at"), rapid.SampledFrom([]v1alpha1.DrainResult{v1alpha1.DrainEmpty, v1alpha1.DrainDeadlinePassed}).
			Draw(t, "drained for")
	}
	return r
}

func anyNomad(t *rapid.T) nodestate.Nomad {
	n := nodestate.Nomad{Known: flag(t, "Nomad known"), Why: "Nomad doesn't answer.", LiveKnown: flag(t, "live known")}
	n.NotAsked = !n.Known && flag(t, "not asked")
	if flag(t, "other node") {
		n.Other = &nodestate.OtherNode{ID: "other"}
		for range rapid.IntRange(0, 2).Draw(t, "other allocations") {
			n.Other.Live = append(n.Other.Live, nodestate.Allocation{Name: "b", System: flag(t, "other system")})
		}
	}
	if n.Registered = flag(t, "registered"); !n.Registered {
		return n
	}
	n.Status = rapid.SampledFrom([]string{"initializing", "ready", "down", "disconnected"}).Draw(t, "status")
	n.Eligible, n.Draining, n.DrainCompleted = flag(t, "eligible"), flag(t, "draining"), flag(t, "complete")
	n.DrainID = rapid.SampledFrom([]string{"", drainID, "request-0"}).Draw(t, "last drain")
	n.DrainStarted, n.DrainUpdated = anyTime(t, "drain started"), anyTime(t, "drain updated")
	n.DrainOnTimeout = rapid.SampledFrom([]v1alpha1.DrainTimeoutAction{"", v1alpha1.DrainForce, v1alpha1.DrainRetain}).
		Draw(t, "drain on timeout")
	n.DrainIgnoreSystemJobs = flag(t, "drain ignores system jobs")
	for range rapid.IntRange(0, 3).Draw(t, "allocations") {
		n.Live = append(n.Live, nodestate.Allocation{Name: "a", System: flag(t, "system")})
	}
	return n
}

// anyAccepted is what Nomad has accepted, or hasn't.
func anyAccepted(t *rapid.T, what string) nodestate.Accepted {
	if !flag(t, what+" accepted") {
		return nodestate.Accepted{}
	}
	return nodestate.Accepted{First: anyTime(t, what+" first accepted"), Last: anyTime(t, what+" last accepted")}
}

func anyObserved(t *rapid.T) nodestate.State {
	o := nodestate.State{Now: now, Node: anyNode(t), Nomad: anyNomad(t), Secret: flag(t, "secret"),
		SecretMissing: flag(t, "secret missing"), NomadRecovered: anyTime(t, "Nomad recovered"),
		SiblingsEligible: flag(t, "siblings"), PoolDeleted: flag(t, "pool deleted")}
	if o.Node.Drain != nil {
		o.Cordon, o.Drain, o.DrainExtended = anyAccepted(t, "cordon"), anyAccepted(t, "drain"), flag(t, "extended")
	}
	if flag(t, "VM") {
		o.VM = nodestate.VM{Exists: true, Owned: flag(t, "owned"), Deleting: flag(t, "VM deleting"),
			Halted:        flag(t, "halted"),
			RemovalListed: flag(t, "listed")}
		o.VM.DeletingSince = anyTime(t, "VM deleting since")
		if flag(t, "above quota") {
			o.VM.AboveQuota = "cpu"
		}
		if flag(t, "denied") {
			deniedByQuota(&o)
		}
	}
	if flag(t, "problem") {
		o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate,
			Problem: condition.Problem{Reason: v1alpha1.ReasonImageNotFound, Message: "No such image."}}
	}
	if flag(t, "token") {
		o.IntroductionStaleAt = anyTime(t, "token stale at")
	}
	o.Instance.Exists = flag(t, "instance")
	o.Instance.Ended = o.Instance.Exists && flag(t, "ended")
	o.Instance.Running = o.Instance.Exists && !o.Instance.Ended && flag(t, "running")
	for range rapid.IntRange(0, 2).Draw(t, "claims") {
		o.Claims = append(o.Claims, nodestate.Claim{Name: "disk", Deleting: flag(t, "claim deleting")})
	}
	return o
}

var (
	making   = []member.Step{member.RenewSecret, member.CreateVM}
	inNomad  = []member.Step{member.CancelDrain, member.Cordon, member.Drain, member.ResendDrain, member.Purge}
	removals = []member.Step{member.DeleteNomadNode, member.ListClaims, member.DeleteVM, member.HaltVM, member.Purge,
		member.DeleteClaims, member.DeleteSecret, member.Release}
)

// These properties hold for every observation, even for impossible ones.
func TestDecisionsAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyObserved(t)
		d := decide(o)
		r, wanted := o.Node, o.Node.Drain == nil && o.Node.DeletedAt.IsZero() && !o.Node.Drained
		must := func(ok bool, what string) {
			if !ok {
				t.Errorf("%s, but the step is %s", what, d.Step)
			}
		}
		must(d.Step != "", "there is always a step")
		must(d.Wake >= 0 && (d.Wake == 0 || d.Step == member.Wait), "only a wait has an end, and that lies ahead")
		if slices.Contains(removals, d.Step) {
			must(r.Drained, "only what is drained is removed")
		} else {
			must(!r.Drained || d.Step == member.Wait, "there is no way back from Drained")
		}
		if slices.Contains(inNomad, d.Step) {
			must(o.Nomad.Known && o.Nomad.Registered,
				"nothing is asked of a Nomad that is unknown, or of a node that isn't there")
			must(!wanted, "a member that is wanted is left alone in Nomad")
		}
		if d.Step == member.UndoDrain {
			must(wanted && o.Nomad.Known && o.Nomad.Draining && o.Nomad.DrainID != "",
				"without a request only a drain of ours is undone")
		}
		if slices.Contains(making, d.Step) {
			must(wanted && !o.VM.Exists && !r.VMMade, "a VM is made once, and only of what is wanted")
		}
		waits := wanted && o.VM.Owned && !o.VM.Deleting && !r.Joined && !o.Instance.Running
		if d.Step == member.RenewIntroduction {
			must(waits, "only a guest that waits to boot gets another token")
		}
		if d.Step == member.CreateSecret {
			must(waits && o.SecretMissing || wanted && !o.VM.Exists && !r.VMMade,
				"a Secret is made before its VM, or again for a guest that waits to boot")
		}
		must(!d.Late || !o.Nomad.NotAsked, "no timeout of Nomad ends before it was asked")
		if d.Step == member.StartVM {
			must(wanted && o.VM.Owned && o.VM.Halted && o.VM.AboveQuota != "" && !r.Joined && !o.VM.Deleting,
				"only what Harvester halted for a quota before it joined is started")
		}
		checkDrain(o, d.Decision, must)
		checkRemoval(o, d.Decision, must)
	})
}

func checkDrain(o nodestate.State, d member.Decision, must func(bool, string)) {
	in := o.Node.Drain
	switch d.Step {
	case member.Cordon, member.ExtendDrain, member.Drain, member.ResendDrain, member.MarkDrained:
		must(in != nil && !in.Canceled, "draining needs a request that stands")
	case member.RecordCancel:
		ends := member.Rechecks(o) && !now.Before(in.DeadlineTime.Time)
		must(in != nil && (in.Canceled || ends) && o.Node.DeletedAt.IsZero(),
			"only what holds for an empty member ends with its deadline")
	case member.CancelDrain, member.ClearDrainRequest:
		must(in != nil && in.Canceled && o.Node.DeletedAt.IsZero(), "only a canceled request is undone")
	case member.RequestDrain:
		must(d.Reason != "" && (in == nil || in.Canceled), "a request that stands is never replaced")
	}
	undone := !o.Cordon.First.IsZero() && now.Sub(o.Cordon.First) >= 10*time.Second && !member.Rechecks(o)
	switch {
	case d.Step == member.Drain:
		again := o.Nomad.DrainCompleted && o.Nomad.DrainID == in.ID
		must(!o.Nomad.Eligible || again || undone, "a node is ineligible before it is drained for the first time")
		forced := o.Node.Policy.OnTimeout != v1alpha1.DrainRetain && !now.Before(in.DeadlineTime.Time)
		other := o.Nomad.DrainID == in.ID && o.Nomad.DrainOnTimeout != "" &&
			(o.Nomad.DrainOnTimeout != o.Node.DrainOnTimeout() ||
				o.Nomad.DrainIgnoreSystemJobs != o.Node.Policy.IgnoreSystemJobs)
		must(
			!o.Nomad.Draining || other || o.Nomad.Eligible && undone ||
				(forced || member.Rechecks(o) && !now.Before(in.DeadlineTime.Time)) && o.Nomad.DrainID != in.ID,
			"a running drain is sent again only to end somebody else's, or because the policy was changed",
		)
		must(again || !o.Drain.First.IsZero() || !member.Overdue(o), "allocations get their time")
	case d.Step == member.ExtendDrain:
		sent := o.Nomad.Registered && (o.Nomad.Eligible && !undone || !o.Nomad.Eligible && o.Nomad.DrainID == in.ID) &&
			(o.Drain.First.IsZero() || !o.Drain.Last.Before(o.NomadRecovered) || o.DrainExtended)
		runs := o.Nomad.Registered || o.Instance.Exists && in.DeadlineTime.Before(&metav1.Time{
			Time: o.NomadRecovered.Add(o.Node.Policy.Deadline.Duration)})
		must(o.Nomad.Known && (!sent || member.HasOtherWork(o)) && runs,
			"only the deadline of a drain that could not be sent moves, or that isn't where the guest works")
	case d.Step == member.ResendDrain:
		must(o.Node.Resent != in.ID, "a drain is resent once")
		must(!member.Rechecks(o), "nothing is drained of a member that leaves only if it is empty, before Nomad was asked")
		must(o.Nomad.DrainID == in.ID || !now.Before(in.DeadlineTime.Time),
			"somebody else's drain is left alone until the deadline")
	case d.Step == member.MarkDrained && !d.Unchecked:
		must(o.Nomad.Known, "Nomad is asked only when it is known")
		must(!o.Nomad.Registered || !o.Nomad.Eligible && o.Nomad.LiveKnown,
			"an empty node is ineligible and its allocations were read")
	case d.Step == member.MarkDrained:
		dead := !o.Instance.Exists && (!o.VM.Exists || !o.VM.Owned || o.VM.Deleting)
		over := o.Node.Policy.OnTimeout != v1alpha1.DrainRetain && !now.Before(in.DeadlineTime.Add(member.ForceGrace))
		asked := o.PoolDeleted || o.Node.Drain.Reason == v1alpha1.DrainDeleted ||
			o.Node.Drain.Reason == v1alpha1.DrainVMDeleted || !o.Node.DeletedByController
		must(dead || over && (o.Nomad.Known || !o.Node.DeletedAt.IsZero() && asked),
			"unchecked, only a guest that is gone or a deadline that has passed ends a drain")
		must(d.Drained.Result != "" && d.Drained.Message != "", "MarkDrained brings what to write")
	}
}

func checkRemoval(o nodestate.State, d member.Decision, must func(bool, string)) {
	vm := o.VM.Exists && o.VM.Owned
	switch d.Step {
	case member.ListClaims, member.DeleteVM:
		must(vm && !o.VM.Deleting, "only an owned VM is written to")
		asked := o.PoolDeleted || o.Node.Drain != nil && o.Node.Drain.Reason == v1alpha1.DrainDeleted
		over := o.Node.DrainResult == v1alpha1.DrainDeadlinePassed
		must(o.Nomad.Known || over || asked && !o.Nomad.NotAsked,
			"while Nomad is unknown a VM goes only if its deletion was asked for")
		must(d.Step == member.ListClaims || o.VM.RemovalListed, "Harvester knows of the claims before the VM goes")
	case member.HaltVM:
		must(vm && o.VM.Deleting && (!o.Instance.Exists || o.Instance.Ended), "only a VM that can't start again is halted")
	case member.Purge, member.DeleteClaims, member.DeleteSecret, member.Release:
		must(!vm && !o.Instance.Exists, "nothing is taken from under a guest")
		must(!o.Node.DeletedAt.IsZero(), "the NomadNode goes first")
	}
	switch d.Step {
	case member.Purge:
		must(o.Node.Purge, "purge false leaves the Nomad node")
	case member.DeleteSecret:
		must(len(o.Claims) == 0, "claims go before the Secret")
	case member.Release:
		must(len(o.Claims) == 0 && !o.Secret, "nothing of the member is left")
		must(d.Late || !o.Node.Purge || o.Nomad.Known && !o.Nomad.Registered, "no Nomad node is left behind silently")
	}
}

func TestDecisionsAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyObserved(t)
		d := decide(o)
		if again := decide(o); !reflect.DeepEqual(d, again) {
			t.Errorf("the same observation gave %+v and then %+v", d, again)
		}
		if d.Phase == "" {
			t.Error("no phase")
		}
		if len(d.Conditions) != len(v1alpha1.NodeConditions) {
			t.Errorf("%d conditions, want %d", len(d.Conditions), len(v1alpha1.NodeConditions))
		}
		for _, kind := range v1alpha1.NodeConditions {
			c := d.Conditions[kind]
			if !slices.Contains([]metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown},
				c.Status) ||
				c.Reason == "" {
				t.Errorf("%s is %+v, which isn't a condition", kind, c)
			}
		}
		conditiontest.Check(t, d.Conditions)
		ready := d.Conditions[v1alpha1.NodeReady].Status == "True"
		leaves := o.Node.Leaving() || o.Node.Drained || d.Step == member.RequestDrain
		if want := o.Nomad.Known && o.Nomad.Ready() && !leaves; ready != want {
			t.Errorf("Ready is %t, want %t", ready, want)
		}
		if d.Step == member.Wait && !o.Nomad.Known && (d.Wake == 0 || d.Wake > 15*time.Second) {
			t.Errorf("an unknown Nomad is asked again after %s", d.Wake)
		}
	})
}

// Two controllers, or one before and after a crash, decide the same if they differ only in what an unknown Nomad last
// reported.
func TestUnknownNomadIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyObserved(t)
		o.Nomad.Known = false
		other := o
		other.Nomad = anyNomad(t)
		other.Nomad.Known, other.Nomad.Why, other.Nomad.NotAsked = false, o.Nomad.Why, o.Nomad.NotAsked
		if a, b := decide(o), decide(other); !reflect.DeepEqual(a, b) {
			t.Errorf("what can't be believed was acted upon: %+v or %+v", a, b)
		}
	})
}
