package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestOwns(t *testing.T) {
	for name, c := range map[string]struct {
		node member.Identity
		want bool
	}{
		"as it was made":                 {member.Identity{Name: "p-1", PoolUID: "u", Member: "p-1"}, true},
		"as the list shows it":           {member.Identity{Name: "p-1"}, true},
		"meta of another, set by a job":  {member.Identity{Name: "p-1", PoolUID: "x", Member: "y"}, true},
		"renamed by an operator":         {member.Identity{Name: "n", PoolUID: "u", Member: "p-1"}, true},
		"another member of the pool":     {member.Identity{Name: "p-2", PoolUID: "u", Member: "p-2"}, false},
		"a member of the name elsewhere": {member.Identity{Name: "n", PoolUID: "x", Member: "p-1"}, false},
		"no member":                      {member.Identity{Name: "db"}, false},
		"nothing that identifies it":     {member.Identity{}, false},
	} {
		if got := member.Owns("p-1", "u", c.node); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// leavingUnlisted is a leaving member whose guest runs and whose node isn't in Nomad's list.
func leavingUnlisted() nodestate.State {
	o := nodestate.State{Now: now, VM: nodestate.VM{Exists: true, Owned: true},
		Instance: nodestate.Instance{Exists: true, Running: true}}
	o.Node.Joined, o.Node.VMMade = true, true
	o.Node.Policy.OnTimeout = v1alpha1.DrainForce
	o.Node.Drain = &v1alpha1.DrainRequest{ID: "i", Reason: v1alpha1.DrainScaleIn}
	o.Node.Drain.RequestTime.Time, o.Node.Drain.DeadlineTime.Time = now, now.Add(time.Hour)
	o.Nomad.Known = true
	return o
}

func TestNodeIsFoundByItsID(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*nodestate.State)
		want   bool
	}{
		"leaves":                  {func(*nodestate.State) {}, true},
		"its instance runs alone": {func(o *nodestate.State) { o.VM = nodestate.VM{} }, true},
		"wanted":                  {func(o *nodestate.State) { o.Node.Drain = nil }, true},
		"canceled":                {func(o *nodestate.State) { o.Node.Drain.Canceled = true }, true},
		"it hasn't joined yet":    {func(o *nodestate.State) { o.Node.Drain, o.Node.Joined = nil, false }, false},
		"deleted a moment ago":    {func(o *nodestate.State) { o.Node.Drain, o.Node.DeletedAt = nil, now }, false},
		"listed":                  {func(o *nodestate.State) { o.Nomad.Registered = true }, false},
		"Nomad can't be asked":    {func(o *nodestate.State) { o.Nomad.Known = false }, false},
		"drained":                 {func(o *nodestate.State) { o.Node.Drained = true }, false},
		"its guest is gone": {func(o *nodestate.State) { o.VM, o.Instance = nodestate.VM{}, nodestate.Instance{} },
			false},
		"an external VM is there": {func(o *nodestate.State) { o.VM.Owned, o.Instance = false, nodestate.Instance{} }, false},
	} {
		o := leavingUnlisted()
		c.change(&o)
		if got := member.FindByID(o); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestExternalNode(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*nodestate.State)
		step   member.Step
		reason string // of Drained, or why it isn't
		wake   time.Duration
	}{
		"waits to the deadline": {func(*nodestate.State) {}, member.Wait, v1alpha1.ReasonNodeIDTaken,
			time.Hour + member.ForceGrace},
		"ends then": {func(o *nodestate.State) { o.Now = now.Add(2 * time.Hour) }, member.MarkDrained,
			v1alpha1.ReasonDeadline, 0},
		"at the very moment": {func(o *nodestate.State) { o.Now = now.Add(time.Hour + member.ForceGrace) }, member.MarkDrained,
			v1alpha1.ReasonDeadline, 0},
		"never with Retain": {func(o *nodestate.State) {
			o.Now, o.Node.Policy.OnTimeout = now.Add(2*time.Hour), v1alpha1.DrainRetain
		}, member.Wait, v1alpha1.ReasonNodeIDTaken, 0},
		"never joined, as far as was observed": {func(o *nodestate.State) { o.Node.Joined = false }, member.Wait,
			v1alpha1.ReasonNodeIDTaken, time.Hour + member.ForceGrace},
		"no guest runs": {func(o *nodestate.State) { o.Instance = nodestate.Instance{} },
			member.MarkDrained, v1alpha1.ReasonNeverJoined, 0},
		"the guest is gone": {func(o *nodestate.State) { o.VM, o.Instance = nodestate.VM{}, nodestate.Instance{} },
			member.MarkDrained, v1alpha1.ReasonVMGone, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := leavingUnlisted()
			o.Nomad.External = `it is called "db"`
			c.change(&o)
			d := decide(o)
			reason := d.Conditions[v1alpha1.NodeDrainCompleted].Reason
			if d.Step == member.MarkDrained {
				reason = string(d.Drained.Result)
			}
			if d.Step != c.step || reason != c.reason || d.Wake != c.wake {
				t.Errorf("%s, %s, wakes after %s", d.Step, reason, d.Wake)
			}
		})
	}
}

func TestMemberIsNotMadeUnderAnIDThatIsTaken(t *testing.T) {
	o := nodestate.State{Now: now, Secret: true, Nomad: nodestate.Nomad{Known: true, External: `it is called "db"`}}
	d := decide(o)
	if d.Step != member.Wait || d.Wake == 0 || d.Conditions[v1alpha1.NodeVMReady].Reason != v1alpha1.ReasonNodeIDTaken {
		t.Errorf("%s after %s: %+v", d.Step, d.Wake, d.Conditions)
	}
}

// An ID that was found to be taken isn't free because Nomad can't be asked.
func TestTakenIDStaysTakenWhileNomadIsUnknown(t *testing.T) {
	for name, away := range map[string]change{"unknown": nomadUnknown, "not asked": notAsked} {
		o := written(fresh(func(o *nodestate.State) { o.Nomad.External = "it is called x" }))
		o.Node.IDTaken = true
		was, is := decide(o), decide(with(o, away, func(o *nodestate.State) { o.Secret = true }))
		if is.Step != member.Wait || is.BlockedBy != v1alpha1.BlockedByNodeID ||
			is.Conditions[v1alpha1.NodeStalled].Status != was.Conditions[v1alpha1.NodeStalled].Status {
			t.Errorf("%s: %s, blocked by %q, %+v", name, is.Step, is.BlockedBy, is.Conditions[v1alpha1.NodeStalled])
		}
	}
}

func TestWhatIsSaidOfAnExternalNode(t *testing.T) {
	external := func(o *nodestate.State) { o.Nomad.External = `it is called "db"` }
	runConditions(t, v1alpha1.NodeVMReady, []conditionCase{
		{"known", fresh(external), "False", v1alpha1.ReasonNodeIDTaken,
			`exists that isn't the member's: it is called "db". Nothing is done to it. If this NomadNode is a copy`},
		{"known before Nomad was away", fresh(nomadUnknown, func(o *nodestate.State) { o.Node.IDTaken = true }), "False",
			v1alpha1.ReasonNodeIDTaken, "exists that isn't the member's. Nothing is done to it."},
	})
	runConditions(t, v1alpha1.NodeDrainCompleted, []conditionCase{
		{"it leaves", requested(external), "False", v1alpha1.ReasonNodeIDTaken,
			`exists that isn't the member's: it is called "db". Nothing is done to it. ` +
				"The member's VM goes at the drain deadline."},
		{"it leaves, retained", requested(external, retain), "False", v1alpha1.ReasonNodeIDTaken,
			`exists that isn't the member's: it is called "db". Nothing is done to it. ` +
				"onTimeout is Retain, so the member's VM stays: if nothing runs on it, set onTimeout to Force: in the pool"},
	})
}

// The list of nodes has no meta. A node of another name is looked at alone before the controller changes it.
func TestIdentityIsConfirmedBeforeANodeIsChanged(t *testing.T) {
	kept := func(o *nodestate.State) { o.Node.Purge = false }
	other := member.Identity{Name: "renamed"}
	for name, c := range map[string]struct {
		o    nodestate.State
		n    member.Identity
		want bool
	}{
		"it drains":                        {requested(), other, true},
		"a canceled drain is being undone": {requested(canceled, cordoned), other, true},
		"it is to be purged":               {removing(), other, true},
		"its node may stay in Nomad":       {removing(kept), other, false},
		"its drain was canceled and over":  {requested(canceled), other, false},
		"it is wanted":                     {steady(), other, false},
		"it is called as the member is":    {requested(), member.Identity{Name: "pool-1"}, false},
		"Nomad unknown":                    {requested(nomadUnknown), other, false},
		"Nomad unknown, by its name":       {requested(nomadUnknown), member.Identity{Name: "pool-1"}, false},
	} {
		if got := member.ConfirmIdentity(c.o, "pool-1", c.n); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

func TestGuestThatWasNeverMade(t *testing.T) {
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"nothing is there":                  {fresh(), true},
		"its VM was made":                   {booting(noVM), false},
		"its VM isn't in its status yet":    {fresh(func(o *nodestate.State) { o.VM.Exists = true }), false},
		"its instance is all that is there": {fresh(func(o *nodestate.State) { o.Instance.Exists = true }), false},
		"its guest was seen in Nomad":       {fresh(func(o *nodestate.State) { o.Node.SeenInNomad = true }), false},
	} {
		if got := member.NeverMade(c.o); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
