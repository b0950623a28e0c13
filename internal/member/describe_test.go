package member_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestPhases(t *testing.T) {
	secret := func(o *nodestate.State) { o.Secret = true }
	down := func(o *nodestate.State) { o.Nomad.Status = "down" }
	for _, c := range []struct {
		name string
		o    nodestate.State
		want v1alpha1.NodePhase
	}{
		{"nothing made", fresh(), v1alpha1.NodePending},
		{"parts being made", fresh(secret), v1alpha1.NodeProvisioning},
		{"VM starting", booting(noInstance), v1alpha1.NodeProvisioning},
		{"guest runs", booting(), v1alpha1.NodeJoining},
		{"too late to join", booting(later(time.Hour)), v1alpha1.NodeUnhealthy},
		{"never started, too late", booting(noInstance, later(time.Hour)), v1alpha1.NodeUnhealthy},
		{"halted before it joined", booting(halted, noInstance), v1alpha1.NodeUnhealthy},
		{"name taken", fresh(externalVM), v1alpha1.NodeUnhealthy},
		{"steady", steady(), v1alpha1.NodePhaseReady},
		{"unknown is not down", steady(nomadUnknown), v1alpha1.NodePhaseReady},
		{"unknown, and the guest has stopped", steady(nomadUnknown, noInstance), v1alpha1.NodeUnhealthy},
		{"down", steady(down), v1alpha1.NodeUnhealthy},
		{"ineligible", steady(cordoned), v1alpha1.NodeIneligible},
		{"drained by an operator", steady(ineligible, func(o *nodestate.State) { o.Nomad.Draining = true }),
			v1alpha1.NodeIneligible},
		{"its canceled drain isn't undone yet", requested(cordoned, canceled), v1alpha1.NodeIneligible},
		{"ineligible and down", steady(cordoned, down), v1alpha1.NodeUnhealthy},
		{"ineligible before Nomad was away", steady(cordoned, func(o *nodestate.State) {
			o.Node.Phase = v1alpha1.NodeIneligible
			o.Node.LastConditions = map[string]metav1.Condition{v1alpha1.NodeReady: {Status: metav1.ConditionFalse}}
		}, nomadUnknown), v1alpha1.NodeIneligible},
		{"purged by somebody", steady(notInNomad), v1alpha1.NodeUnhealthy},
		{"drain requested", requested(), v1alpha1.NodeDraining},
		{"drain about to be requested", steady(deleted), v1alpha1.NodeDraining},
		{"VM deleted", steady(noVM), v1alpha1.NodeDraining},
		{"drained", removing(), v1alpha1.NodeDeleting},
		{"drained, VM kept", removing(nomadUnknown), v1alpha1.NodePhaseDrained},
		{"VM shutting down", removing(vmDeleting), v1alpha1.NodeDeleting},
		{"guest still runs", removing(func(o *nodestate.State) { o.VM = nodestate.VM{} }), v1alpha1.NodeDeleting},
		{"guest gone", removing(noVM), v1alpha1.NodePurging},
		{"purged", removing(noVM, notInNomad), v1alpha1.NodePurging},
		{"drained, an external VM", removing(externalVM), v1alpha1.NodePurging},
		{"drained, an external VM, and its removal is refused", removing(externalVM, refused), v1alpha1.NodePurging},
		{"guest gone, and its removal is refused", removing(noVM, refused), v1alpha1.NodePurging},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(c.o).Phase; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// conditionCase is an observation and one condition that must follow from it.
type conditionCase struct {
	name           string
	o              nodestate.State
	status, reason string
	message        string // part of the message
}

func runConditions(t *testing.T, kind string, cases []conditionCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			all := decide(c.o).Conditions
			conditiontest.Check(t, all)
			got := all[kind]
			if string(got.Status) != c.status || got.Reason != c.reason || !strings.Contains(got.Message, c.message) {
				t.Errorf("%s is %+v, want %s %s with %q", kind, got, c.status, c.reason, c.message)
			}
		})
	}
}

func TestVMReady(t *testing.T) {
	problem := func(o *nodestate.State) {
		o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
			Problem: condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: "admission webhook said no"}}
	}
	stuck := func(o *nodestate.State) {
		vmDeleting(o)
		o.VM.DeletingSince, o.VM.Finalizers = o.Now.Add(-10*time.Minute), []string{"a/b", "c/d"}
	}
	just := func(o *nodestate.State) { o.Node.DrainedAt = o.Now }
	runConditions(t, v1alpha1.NodeVMReady, []conditionCase{
		{"being made", fresh(), "False", v1alpha1.ReasonProvisioning, ""},
		{"refused, word for word", fresh(problem), "False", v1alpha1.ReasonAdmissionDenied, "admission webhook said no"},
		{"starting", booting(noInstance, func(o *nodestate.State) { o.VM.Status = "Provisioning" }), "False",
			v1alpha1.ReasonVMStarting, "shows it as Provisioning."},
		{"starting, no more is known", booting(noInstance, func(o *nodestate.State) { o.VM.Status = "" }), "False",
			v1alpha1.ReasonVMStarting, "The VM is starting."},
		{"runs", steady(), "True", v1alpha1.ReasonVMRunning, ""},
		{"runs, and an external node has its ID", booting(func(o *nodestate.State) {
			o.Node.VMMade, o.Nomad.External = false, "it is called x"
		}), "True", v1alpha1.ReasonVMRunning, ""},
		{"runs, whatever the template's problem", steady(problem), "True", v1alpha1.ReasonVMRunning, ""},
		{"can't run, KubeVirt's words", booting(noInstance, func(o *nodestate.State) { o.VM.Failure = "no PVC" }), "False",
			v1alpha1.ReasonVMFailed, "no PVC"},
		{"halted", steady(noInstance, func(o *nodestate.State) { o.VM.Halted = true }), "False", v1alpha1.ReasonVMStopped,
			"Start it"},
		{"halted, and KubeVirt calls it failed",
			steady(noInstance, func(o *nodestate.State) { o.VM.Halted, o.VM.Failure = true, "no PVC" }), "False",
			v1alpha1.ReasonVMStopped, "Start it"},
		{"gone", steady(noVM), "False", v1alpha1.ReasonVMGone, ""},
		{"name taken", fresh(externalVM), "False", v1alpha1.ReasonVMNameTaken, "left alone"},
		{"deleted by somebody", steady(vmDeleting), "False", v1alpha1.ReasonVMDeletedByOthers, "delete its NomadNode"},
		{"deleted by somebody, which requests a drain",
			requested(vmDeleting, func(o *nodestate.State) { o.Node.Drain.Reason = v1alpha1.DrainVMDeleted }), "False",
			v1alpha1.ReasonVMDeletedByOthers, "delete its NomadNode"},
		{"deleted by somebody after its drain was requested", requested(vmDeleting), "False", v1alpha1.ReasonRemoving, ""},
		{"removed by us", removing(vmDeleting), "False", v1alpha1.ReasonRemoving, ""},
		{"stuck names the finalizers", removing(stuck), "False", v1alpha1.ReasonDeleteStuck, "a/b, c/d"},
		{"stuck on a host", removing(stuck), "False", v1alpha1.ReasonDeleteStuck, "its guest may still run on host host-1"},
		{"stuck on a host: what not to do", removing(stuck), "False", v1alpha1.ReasonDeleteStuck,
			"Don't take KubeVirt's finalizers off"},
		{"stuck without a guest", removing(stuck, noInstance), "False", v1alpha1.ReasonDeleteStuck,
			"The guest is gone, but its VM doesn't go away; finalizers: a/b, c/d"},
		{"refused, word for word", removing(refused), "False", v1alpha1.ReasonDeleteStuck, "may not delete virtualmachines"},
		{"refused without a VM", removing(noVM, notInNomad, refused), "False", v1alpha1.ReasonDeleteStuck,
			"may not delete virtualmachines"},
		{"VM gone, its instance not yet", removing(vmOnlyGone, just), "False", v1alpha1.ReasonVMGone, ""},
		{"VM gone, its instance left to itself", removing(vmOnlyGone), "False", v1alpha1.ReasonDeleteStuck,
			"kubectl delete vmi"},
		{"an external VM of the name, its own instance left to itself",
			removing(func(o *nodestate.State) { o.VM = nodestate.VM{Exists: true} }), "False", v1alpha1.ReasonDeleteStuck,
			"kubectl delete vmi"},
		{"VM gone, its instance is going", removing(vmOnlyGone, going(10*time.Minute-1)), "False", v1alpha1.ReasonVMGone, ""},
		{"VM gone, its instance is stuck", removing(vmOnlyGone, going(10*time.Minute)), "False", v1alpha1.ReasonDeleteStuck,
			"may still run on host host-1"},
		{"kept while Nomad is unknown", removing(nomadUnknown), "True", v1alpha1.ReasonVMRunning, ""},
		{"it goes at once", removing(later(time.Hour)), "False", v1alpha1.ReasonRemoving, ""},
		{"kept, while KubeVirt ends an instance of it", removing(nomadUnknown, going(time.Hour)), "True",
			v1alpha1.ReasonVMRunning, ""},
		{"claims are going", removing(noVM, notInNomad, terminating(10*time.Minute-1)), "False", v1alpha1.ReasonVMGone, ""},
		{"claims are stuck", removing(noVM, notInNomad, terminating(10*time.Minute)), "False", v1alpha1.ReasonDeleteStuck,
			"data, root; finalizers: kubernetes.io/pvc-protection. See"},
		{"denied by a quota, word for word", removing(vmDeleting, noInstance, deniedByQuota), "False",
			v1alpha1.ReasonDeleteStuck,
			"raise the quota. The refusal: cpu insufficient resources due to resource quota"},
		{"denied for something else", removing(vmDeleting, noInstance, deniedByQuota, func(o *nodestate.State) {
			o.VM.Denied = &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
				Problem: condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: "no such network"}}
		}), "False", v1alpha1.ReasonDeleteStuck,
			"Remove what it objects to; it is tried again all the while. The refusal: no such network"},
	})
}

func TestJoined(t *testing.T) {
	servers := func(o *nodestate.State) { o.Node.Servers = []string{"a", "b"} }
	led := func(o *nodestate.State) { o.Nomad.Leader = "10.0.0.1:4647" }
	runConditions(t, v1alpha1.NodeJoined, []conditionCase{
		{"joining", booting(servers), "False", v1alpha1.ReasonJoining,
			"join Nomad until 2026-03-01T12:09:00Z (health.joinTimeout). Servers to join (spec.nomad.servers): a, b."},
		{"joining, and Nomad's leader is known", booting(servers, led), "False", v1alpha1.ReasonJoining,
			"calls its own address 10.0.0.1:4647."},
		{"no VM yet: its time hasn't begun", fresh(servers), "False", v1alpha1.ReasonJoining, "join Nomad. Servers"},
		{"halted: its time stands still", booting(servers, halted, noInstance), "False", v1alpha1.ReasonJoining,
			"join Nomad. Servers"},
		{"too late", booting(later(time.Hour)), "False", v1alpha1.ReasonJoinTimeout, "console"},
		{"registered, and not ready", booting(registered("initializing")), "True", v1alpha1.ReasonJoined, ""},
		{"registered, and never ready", booting(registered("initializing"), later(time.Hour)), "False", v1alpha1.ReasonJoinTimeout,
			"console"},
		{"registered, never ready, leaves", booting(asked, registered("initializing"), later(time.Hour)), "True",
			v1alpha1.ReasonJoined, ""},
		{"too late: what to join", booting(servers, led, later(time.Hour)), "False", v1alpha1.ReasonJoinTimeout,
			"Servers to join (spec.nomad.servers): a, b. Nomad's leader calls its own address 10.0.0.1:4647."},
		{"joined", steady(), "True", v1alpha1.ReasonJoined, ""},
		{"with a namesake", steady(func(o *nodestate.State) { o.Nomad.Namesake = "1-2" }), "True", v1alpha1.ReasonNameShared,
			"another client with its name as well: node 1-2"},
		{"registered elsewhere", booting(elsewhere), "False", v1alpha1.ReasonMisplaced,
			`node pool "prod", not "default" as the pool asks, so it doesn't count.`},
		{"registered elsewhere, too late", booting(elsewhere, later(time.Hour)), "False", v1alpha1.ReasonMisplaced,
			"health.joinTimeout"},
		{"has gone elsewhere", steady(elsewhere), "False", v1alpha1.ReasonMisplaced, "health.unhealthyTimeout"},
		{"down has joined", steady(func(o *nodestate.State) { o.Nomad.Status = "down" }), "True", v1alpha1.ReasonJoined,
			""},
		{"unknown, has joined", steady(nomadUnknown), "True", v1alpha1.ReasonJoined, ""},
		{"unknown, has not joined", booting(nomadUnknown), "Unknown", v1alpha1.ReasonNomadUnknown, "doesn't answer"},
		{"purged by somebody", steady(notInNomad), "False", v1alpha1.ReasonNodeDown,
			"If that lasts for health.unhealthyTimeout the member is replaced"},
		{"purged by somebody, and no guest runs", steady(notInNomad, noInstance), "False", v1alpha1.ReasonNodeDown,
			"If that lasts for health.unhealthyTimeout the member is replaced"},
		{"drained and purged by somebody, and its guest runs", removing(notInNomad), "False", v1alpha1.ReasonNodeDown,
			"Nomad no longer knows the node"},
		{"purged with the member", steady(notInNomad, noVM, func(o *nodestate.State) { o.Node.Drained = true }), "False",
			v1alpha1.ReasonRemoving, "left Nomad with the member's VM"},
	})
}

func TestReady(t *testing.T) {
	status := func(s string) change { return func(o *nodestate.State) { o.Nomad.Status = s } }
	registered := func(o *nodestate.State) {
		o.Nomad = nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true}
	}
	runConditions(t, v1alpha1.NodeReady, []conditionCase{
		{"steady", steady(), "True", v1alpha1.ReasonNodeReady, ""},
		{"first seen ready", booting(registered), "True", v1alpha1.ReasonNodeReady, ""},
		{"unknown", steady(nomadUnknown), "Unknown", v1alpha1.ReasonNomadUnknown, "doesn't answer"},
		{"what was seen of an unknown Nomad isn't believed", booting(registered, nomadUnknown), "False",
			v1alpha1.ReasonNomadUnknown, "doesn't answer"},
		{"registered elsewhere", booting(elsewhere), "False", v1alpha1.ReasonMisplaced, `node pool "prod"`},
		{"has gone elsewhere", steady(elsewhere), "False", v1alpha1.ReasonMisplaced, "health.unhealthyTimeout"},
		{"elsewhere, and down", steady(elsewhere, status("down")), "False", v1alpha1.ReasonNodeDown, ""},
		{"down", steady(status("down")), "False", v1alpha1.ReasonNodeDown,
			"If that lasts for health.unhealthyTimeout the member is replaced"},
		{"down, because its VM was stopped", steady(halted, noInstance, status("down")), "False", v1alpha1.ReasonVMStopped,
			"Start it, or delete this NomadNode"},
		{"disconnected", steady(status("disconnected")), "False", v1alpha1.ReasonNodeDown, "disconnected"},
		{"on its way", booting(registered, status("initializing")), "False", v1alpha1.ReasonJoining, "initializing"},
		{"ineligible by somebody", steady(cordoned), "False", v1alpha1.ReasonIneligible, "eligibility -enable"},
		{"drained by somebody", steady(func(o *nodestate.State) { o.Nomad.Draining = true }), "False",
			v1alpha1.ReasonIneligible, ""},
		{"the VM's trouble first", booting(noInstance), "False", v1alpha1.ReasonVMStarting, ""},
		{"joining", booting(), "False", v1alpha1.ReasonJoining, ""},
		{"too late", booting(later(time.Hour)), "False", v1alpha1.ReasonJoinTimeout, ""},
		{"registered, and never ready", booting(registered, status("initializing"), later(time.Hour)), "False",
			v1alpha1.ReasonJoinTimeout, "console"},
		{"leaving", requested(), "False", v1alpha1.ReasonDraining, ""},
		{"deleted", steady(deleted), "False", v1alpha1.ReasonDraining, ""},
		{"canceled", draining(service("web"), canceled), "False", v1alpha1.ReasonCancelingDrain, "canceled"},
		{"canceled, not eligible yet", requested(cordoned, canceled), "False", v1alpha1.ReasonCancelingDrain, "canceled"},
		{"canceled, but ineligible before", requested(ineligible, canceled), "False", v1alpha1.ReasonIneligible, ""},
		{"canceled, but somebody else drains it", draining(service("web"), canceled, othersDrain), "False",
			v1alpha1.ReasonIneligible, ""},
		{"canceled, and done", requested(canceled), "True", v1alpha1.ReasonNodeReady, ""},
		{"drained", removing(), "False", v1alpha1.ReasonRemoving, ""},
		{"drained, VM kept", removing(nomadUnknown), "False", v1alpha1.ReasonNomadUnknown, "delete the NomadNodePool"},
		{"drained, VM kept for a while", removing(nomadUnknown, poolDeleted), "False", v1alpha1.ReasonNomadUnknown,
			"all the same at 2026-03-01T12:09:00Z (the controller's --purge-timeout)"},
		{"drained, VM gone", removing(nomadUnknown, noVM), "False", v1alpha1.ReasonNomadUnknown,
			"goes at 2026-03-01T12:09:00Z (the controller's --purge-timeout)"},
		{
			"drained, VM gone: what ends it",
			removing(nomadUnknown, noVM),
			"False",
			v1alpha1.ReasonNomadUnknown,
			`kubectl patch nn -n pools pool-1 --type merge -p '{"spec":{"scaleIn":{"purge":false}}}'`,
		},
		{"drained, VM gone, its node may stay",
			removing(nomadUnknown, noVM, func(o *nodestate.State) { o.Node.Purge = false }), "False", v1alpha1.ReasonRemoving,
			""},
		{"drained, VM gone, the timeout has passed", removing(nomadUnknown, noVM, later(9*time.Minute)), "False",
			v1alpha1.ReasonRemoving, ""},
		{"drained, VM gone, its NomadNode isn't deleted yet",
			removing(nomadUnknown, noVM, func(o *nodestate.State) { o.Node.DeletedAt = time.Time{} }), "False",
			v1alpha1.ReasonRemoving, ""},
		{"drained, and an external VM has its name", removing(nomadUnknown, externalVM), "False",
			v1alpha1.ReasonNomadUnknown, "goes at 2026-03-01T12:09:00Z (the controller's --purge-timeout)"},
		{"drained, VM gone, Nomad answers", removing(noVM), "False", v1alpha1.ReasonRemoving, ""},
		{"drained, VM gone, Nomad not asked yet", removing(notAsked, noVM), "False", v1alpha1.ReasonRemoving, ""},
		{"drained, Nomad not asked yet", removing(notAsked), "False", v1alpha1.ReasonRemoving, ""},
	})
}

func TestDrainCompleted(t *testing.T) {
	siblings := func(o *nodestate.State) {
		o.SiblingsEligible = true
		o.Node.Drain = drainRequest(o.Now.Add(-time.Second), o.Now.Add(time.Hour))
	}
	runConditions(t, v1alpha1.NodeDrainCompleted, []conditionCase{
		{"wanted", steady(), "False", v1alpha1.ReasonNoDrainRequested, ""},
		{"canceled", requested(canceled), "False", v1alpha1.ReasonNoDrainRequested, ""},
		{"requested", requested(), "False", v1alpha1.ReasonDraining, ""},
		{"siblings first", requested(cordoned, siblings), "False", v1alpha1.ReasonDraining, "ineligible first"},
		{"nothing to wait for", draining(nil), "False", v1alpha1.ReasonDraining, "Checking that nothing is left"},
		{"nothing to wait for, before it is drained",
			requested(cordoned, func(o *nodestate.State) { o.Nomad.LiveKnown = true }), "False", v1alpha1.ReasonDraining,
			"Telling Nomad to drain"},
		{"complete, but allocations run", draining(service("web"), complete), "False",
			v1alpha1.ReasonWaitingForAllocations, "web"},
		{"retained, and eligible again: what it has isn't known", requested(retain, overdue(time.Hour)), "False",
			v1alpha1.ReasonRetained, "have ended: nothing. Stop their jobs"},
		{"waiting", draining(service("web", "db")), "False", v1alpha1.ReasonWaitingForAllocations, "web; db"},
		{"retained", draining(service("batch"), retain, overdue(0)), "False", v1alpha1.ReasonRetained, "batch"},
		{"retained: what ends it", draining(service("batch"), retain, overdue(0)), "False", v1alpha1.ReasonRetained,
			"batch. Stop their jobs, or set onTimeout to Force: in the pool, as spec.scaleIn.drain.onTimeout."},
		{
			"retained and deleted: what ends it",
			draining(service("batch"), retain, overdue(0), deleted),
			"False",
			v1alpha1.ReasonRetained,
			`set onTimeout to Force: kubectl patch nn -n pools pool-1 --type merge -p '{"spec":{"scaleIn":{"drain":{"onTimeout":"Force"}}}}'`,
		},
		{"not retained before the deadline", draining(service("batch"), retain), "False",
			v1alpha1.ReasonWaitingForAllocations, "batch"},
		{"empty is not drained until Nomad was asked once more", draining(nil), "False", v1alpha1.ReasonDraining, "Checking"},
		{"allocations not read yet", draining(nil, allocationsUnknown("")), "False", v1alpha1.ReasonDraining, ""},
		{"allocations can't be read", draining(nil, allocationsUnknown("no answer in time")), "False",
			v1alpha1.ReasonNomadUnknown,
			"the member goes. What it answers: no answer in time"},
		{"allocations can't be read, retained", draining(nil, allocationsUnknown("no answer in time"), retain,
			overdue(time.Hour)),
			"False", v1alpha1.ReasonNomadUnknown, "Only Force ends it"},
		{"allocations can't be read, and a request for empty ones can't be checked",
			requested(cordoned, onlyIf(v1alpha1.Empty),
				allocationsUnknown("no answer in time")), "False", v1alpha1.ReasonNomadUnknown,
			"no answer in time"},
		{"allocations can't be read, but those of a moment ago will do",
			draining(service("web"), func(o *nodestate.State) { o.Nomad.LiveProblem = "no answer in time" }), "False",
			v1alpha1.ReasonWaitingForAllocations, "web"},
		{"blocked", draining(nil, nomadUnknown), "False", v1alpha1.ReasonNomadUnknown,
			"Held, because Nomad can't be asked: Nomad doesn't answer."},
		{"blocked for a while, its end was moved",
			draining(nil, nomadUnknown, deleted, func(o *nodestate.State) {
				o.Node.Drain = drainRequest(now.Add(-time.Second), now.Add(-time.Second))
				o.Node.DeletedAt = now
			}), "False",
			v1alpha1.ReasonNomadUnknown, "at the latest: until then what may run there has time to stop."},
		{"blocked for a while", draining(nil, nomadUnknown, deleted), "False", v1alpha1.ReasonNomadUnknown,
			"goes all the same, at 2026-03-01T12:14:40Z at the latest."},
		{
			"blocked for a while: what ends it",
			draining(nil, nomadUnknown, deleted),
			"False",
			v1alpha1.ReasonNomadUnknown,
			`kubectl patch nn -n pools pool-1 --type merge -p '{"spec":{"drain":{"deadlineTime":"2026-03-01T11:59:00Z"}}}'`,
		},
		{
			"blocked for a while: where its connection is",
			draining(nil, nomadUnknown, deleted),
			"False",
			v1alpha1.ReasonNomadUnknown,
			"Nomad doesn't answer. (spec.nomad is the pool's or, if the pool is gone, this NomadNode's)",
		},
		{"blocked for as long as it will", draining(nil, nomadUnknown, deleted, retain), "False", v1alpha1.ReasonNomadUnknown,
			"onTimeout of this NomadNode to Force"},
		{"blocked, and its request isn't written yet", steady(nomadUnknown, deleted), "False", v1alpha1.ReasonNomadUnknown,
			"Held, because Nomad can't be asked: "},
		{"drained: what was written stays", removing(), "True", v1alpha1.ReasonEmpty, "No allocation is left"},
		{"drained stays when Nomad is unknown", removing(nomadUnknown), "True", v1alpha1.ReasonEmpty,
			"No allocation is left"},
	})
}

func allocationsUnknown(problem string) change {
	return func(o *nodestate.State) { o.Nomad.LiveKnown, o.Nomad.LiveProblem = false, problem }
}

// A member to which nothing happens writes nothing: its messages must not change only because time passes.
func TestMessagesDontChangeWithTime(t *testing.T) {
	for name, o := range map[string]nodestate.State{
		"joining":  booting(),
		"late":     booting(later(time.Hour)),
		"steady":   steady(),
		"unknown":  steady(nomadUnknown),
		"draining": draining(service("web", "db", "cache", "queue")),
		"retained": draining(service("web"), retain, overdue(time.Minute)),
		"blocked":  draining(nil, nomadUnknown),
		"deleted":  draining(nil, nomadUnknown, deleted),
		"stuck":    removing(vmDeleting, later(time.Hour)),
		"quota":    removing(vmDeleting, noInstance, deniedByQuota),
		"purging":  removing(noVM, nomadUnknown),
		"kept":     removing(nomadUnknown),
	} {
		before := decide(o).Conditions
		for kind, c := range decide(with(o, later(73*time.Second))).Conditions {
			if c != before[kind] {
				t.Errorf("%s: %s went from %+v to %+v while nothing but time passed", name, kind, before[kind], c)
			}
		}
	}
}
