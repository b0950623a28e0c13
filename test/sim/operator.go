package sim

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// act is something that somebody else does.
type act struct {
	name string
	do   func(*Environment, *stream)
}

// acts are what operators, autoscalers and chance do.
var acts = []act{
	{"scale", scale}, {"scale", scale}, {"scale", scale}, {"scale", scale}, {"scale", scale},
	{"jitter", func(w *Environment, s *stream) {
		scale(w, s)
		w.after(s.between(time.Second, 20*time.Second), func() { scale(w, s) })
	}},
	{"flap", flap}, {"flap", flap},
	{"delete member", deleteMember}, {"remove by force", removeByForce},
	{"annotate", annotate}, {"annotate", annotate},
	{"end drain", endDrain}, {"end drain", endDrain},
	{"pause", func(w *Environment, s *stream) {
		w.edit("pauses, or goes on", func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = !p.Spec.Paused && s.once(2) })
	}},
	{"policy", policy},
	{"retry joins", func(w *Environment, _ *stream) {
		w.edit("asks for another try to join", func(p *v1alpha1.NomadNodePool) {
			p.Annotations = map[string]string{v1alpha1.RetryJoinsAnnotation: w.now.Format(time.RFC3339)}
		})
	}},
	{"delete Secret", deleteSecret},
	{"delete VM", deleteVM},
	{"orphan instance", orphanInstance},
	{"unmark VM", unmarkVM}, {"delete in UI", deleteInUI},
	{"halt VM", haltVM},
	{"copy VM", copyVM},
	{"maintain host",
		maintainHost}, {"maintain host", maintainHost}, {"maintain host", maintainHost}, {"lose host", loseHost},
	{"upgrade", upgradeHarvester},
	{"no room", func(w *Environment, s *stream) {
		w.kubevirt.full = w.now.Add(s.between(10*time.Second, 6*time.Minute))
		w.note("KubeVirt", "", "has no capacity for more instances for a while")
	}},
	{"take name", takeName},
	{"cordon node",
		ofNomad((*nomadServer).cordonNode)}, {"cordon and flap", ofNomad((*nomadServer).cordonAndFlap)},
	{"cordon and flap", ofNomad((*nomadServer).cordonAndFlap)}, {"cordon and flap", ofNomad((*nomadServer).cordonAndFlap)},
	{"drain node", ofNomad((*nomadServer).drainNode)},
	{"cancel drain", ofNomad((*nomadServer).cancelDrain)},
	{"purge node", ofNomad((*nomadServer).purgeNode)},
	{"restart guest", restartGuest}, {"restart guest", restartGuest}, {"cut guest off", cutGuestOff},
	{"change leader", ofNomad((*nomadServer).changeLeader)}, {"take read-job away", ofNomad((*nomadServer).takeReadJob)},
	{"wrong address", wrongAddress}, {"dispatch", ofNomad((*nomadServer).dispatch)},
	{"refuse VMs", func(w *Environment, s *stream) {
		w.harvester.refusing = w.now.Add(s.between(time.Second, 2*time.Minute))
		w.note("Harvester", "", "refuses VMs for a while")
	}},
	{"freeze VMs", func(w *Environment, s *stream) {
		w.harvester.frozen = w.now.Add(s.between(time.Second, 3*time.Minute))
		w.note("Harvester", "", "refuses changes of VMs for a while")
	}},
	{"slow Nomad", ofNomad((*nomadServer).slowDown)},
	{"delete pool", deletePool},
	{"template", template}, {"template", template},
}

// operate schedules the acts of others.
func (w *Environment) operate() {
	w.hide()
	w.lackCapacity()
	w.nomad.restore()
	w.move()
	w.misregister()
	w.joinLate()
	w.resist()
	s := w.chance.of("operator")
	for range w.Acts {
		a := acts[s.IntN(len(acts))]
		at := s.between(0, w.Span)
		stream := w.chance.of("operator: " + a.name)
		if w.Without[a.name] {
			continue
		}
		w.after(at, func() {
			if w.faulty {
				a.do(w, stream)
			}
		})
	}
}

// edit changes the pool's spec.
func (w *Environment) edit(what string, f func(*v1alpha1.NomadNodePool)) {
	if p := w.pool(); p != nil {
		w.note("operator", poolName, "%s", what)
		change(w.store, p, f)
	}
}

func scale(w *Environment, s *stream) {
	n := int32(s.IntN(6))
	if p := w.pool(); p != nil && w.faulty {
		w.note("autoscaler", poolName, "scales from %d to %d", p.DesiredReplicas(), n)
		change(w.store, p, func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](n) })
	}
}

func (n *nomadServer) slowDown(s *stream) {
	n.slow = n.w.now.Add(s.between(10*time.Second, 3*time.Minute))
	n.note("", "is slow for a while")
}

// flap asks for one member less and one more again, faster than a drain can be canceled.
func flap(w *Environment, s *stream) {
	if s.once(2) {
		w.nomad.slowDown(s)
	}
	at := time.Duration(0)
	for n := range 3 + s.IntN(3) {
		by := int32(2*(n%2) - 1)
		at += s.between(10*time.Millisecond, 3*time.Second)
		w.after(at, func() { toAdd(w, by) })
	}
}

// template changes the template, or turns the change back.
func template(w *Environment, s *stream) {
	w.edit("changes the template", func(p *v1alpha1.NomadNodePool) { p.Spec.Template.CPU = int32(2 + s.IntN(3)) })
}

func policy(w *Environment, s *stream) {
	w.edit("changes the policies", func(p *v1alpha1.NomadNodePool) {
		next := anyPool(s, w.Scenario)
		p.Spec.ScaleIn, p.Spec.Health, p.Spec.Rollout = next.ScaleIn, next.Health, next.Rollout
	})
}

// anyMember is one of the members that there are; nil: none.
func (w *Environment) anyMember(s *stream) *v1alpha1.NomadNode {
	all := w.store.all(kindNode)
	if len(all) == 0 {
		return nil
	}
	return all[s.IntN(len(all))].(*v1alpha1.NomadNode)
}

func deleteMember(w *Environment, s *stream) {
	if n := w.anyMember(s); n != nil {
		w.note("operator", n.Name, "deletes the NomadNode")
		_ = w.store.remove(idOf(n), n.UID) // it was there a moment ago
	}
}

// endDrain brings the deadline of a member that leaves forward.
func endDrain(w *Environment, s *stream) {
	for _, o := range w.store.all(kindNode) {
		n := o.(*v1alpha1.NomadNode)
		if n.Spec.Drain == nil || n.Spec.Drain.Canceled || !w.now.Before(n.Spec.Drain.DeadlineTime.Time) {
			continue
		}
		to := metav1.NewTime(pick(s, n.Spec.Drain.RequestTime.Time, w.now.Add(-time.Minute), w.now,
			w.now.Add(time.Minute)).Truncate(time.Second))
		if to.Before(&n.Spec.Drain.RequestTime) || !to.Before(&n.Spec.Drain.DeadlineTime) {
			to = n.Spec.Drain.RequestTime
		}
		w.note("operator", n.Name, "brings the deadline of its drain forward to %s", to.Sub(epoch))
		change(w.store, n, func(n *v1alpha1.NomadNode) { n.Spec.Drain.DeadlineTime = to })
		return
	}
}

func annotate(w *Environment, s *stream) {
	n := w.anyMember(s)
	if n == nil {
		return
	}
	key := pick(s, v1alpha1.ProtectAnnotation, v1alpha1.ProtectAnnotation, v1alpha1.DeleteNextAnnotation)
	change(w.store, n, func(n *v1alpha1.NomadNode) {
		if _, set := n.Annotations[key]; set {
			w.note("operator", n.Name, "takes the annotation %s off", key)
			delete(n.Annotations, key)
			return
		}
		w.note("operator", n.Name, "annotates %s", key)
		n.Annotations = map[string]string{key: "yes"}
	})
}

// anyVM is one of the members' VMs.
func (w *Environment) anyVM(s *stream) *kubevirtv1.VirtualMachine {
	var owned []*kubevirtv1.VirtualMachine
	for _, o := range w.store.all(kindVM) {
		if w.checks.owned[o.GetUID()] != "" {
			owned = append(owned, o.(*kubevirtv1.VirtualMachine))
		}
	}
	if len(owned) == 0 {
		return nil
	}
	return owned[s.IntN(len(owned))]
}

func deleteSecret(w *Environment, s *stream) {
	all := w.store.all(kindSecret)
	if len(all) == 0 {
		return
	}
	secret := all[s.IntN(len(all))]
	name := secret.GetLabels()[v1alpha1.NodeLabel]
	w.note("operator", name, "deletes the Secret")
	if m := w.checks.members[name]; m != nil {
		m.secretTaken = true
	}
	_ = w.store.remove(idOf(secret), secret.GetUID()) // it was there a moment ago
}

func deleteVM(w *Environment, s *stream) {
	if vm := w.anyVM(s); vm != nil {
		w.note("operator", vm.Name, "deletes the VM")
		_ = w.store.remove(idOf(vm), vm.UID) // it was there a moment ago
	}
}

// orphanInstance is kubectl delete vm --cascade=orphan: the guest runs on without its VM, until somebody stops it.
func orphanInstance(w *Environment, s *stream) {
	vm := w.anyVM(s)
	if vm == nil || w.kubevirt.guests[vm.UID] == nil || vm.DeletionTimestamp != nil {
		return
	}
	g := w.kubevirt.guests[vm.UID]
	if g.stopping {
		return
	}
	w.note("operator", vm.Name, "deletes the VM, but not its instance")
	g.orphan = true
	w.store.drop(idOf(vm))
	w.after(s.between(10*time.Second, 4*time.Minute), func() {
		w.note("operator", vm.Name, "deletes the instance")
		g.orphan = false
		w.kubevirt.stop(vm)
	})
}

// unmarkVM takes the marks off a VM that the controllers have written down. Before that it can't be known again.
func unmarkVM(w *Environment, s *stream) {
	vm := w.anyVM(s)
	if vm == nil {
		return
	}
	if n := w.checks.nomadNode(w.checks.members[vm.Name]); n != nil && n.Status.VM.UID == string(vm.UID) {
		w.note("operator", vm.Name, "takes the VM's labels and annotations off")
		change(w.store, vm, func(vm *kubevirtv1.VirtualMachine) {
			templates := vm.Annotations[claimTemplates]
			vm.Labels, vm.Annotations = nil, map[string]string{claimTemplates: templates}
		})
	}
}

// deleteInUI is what a refused deletion in Harvester's UI leaves behind.
func deleteInUI(w *Environment, s *stream) {
	if vm := w.anyVM(s); vm != nil {
		w.note("operator", vm.Name, "tries to delete the VM in Harvester's UI")
		change(w.store, vm, func(vm *kubevirtv1.VirtualMachine) {
			if vm.Annotations == nil {
				vm.Annotations = map[string]string{}
			}
			vm.Annotations[nodestate.RemovedClaimsAnnotation] = "whatever-was-ticked"
		})
		if vm.Labels[v1alpha1.NodeLabel] == "" { // somebody took it off: the controllers watch VMs that have it
			w.unsignaled = w.now
		}
	}
}

func haltVM(w *Environment, s *stream) {
	vm := w.anyVM(s)
	if vm == nil {
		return
	}
	w.note("operator", vm.Name, "halts the VM")
	w.kubevirt.halt(vm, true)
	m := w.checks.members[vm.Name]
	m.halted = w.now
	w.after(s.between(10*time.Second, 4*time.Minute), func() {
		w.note("operator", vm.Name, "starts the VM again")
		m.halted = time.Time{}
		w.kubevirt.halt(vm, false)
	})
}

// copied is what the name of a copy ends with.
const copied = "-copy"

// copyVM does what Harvester's templates do: the copy carries the labels and the annotations of the original.
func copyVM(w *Environment, s *stream) {
	vm := w.anyVM(s)
	if vm == nil {
		return
	}
	c := clone(vm)
	c.ObjectMeta = metav1.ObjectMeta{Namespace: vm.Namespace, Name: vm.Name + copied, Labels: vm.Labels,
		Annotations: maps.Clone(vm.Annotations)}
	c.Annotations[claimTemplates] = "[]"
	if w.store.create(c) == nil {
		w.note("operator", vm.Name, "makes a copy of the VM")
	}
}

// takeName makes a VM of the name that the next member will have.
func takeName(w *Environment, _ *stream) {
	p := w.pool()
	if p == nil {
		return
	}
	name := pool.MemberName(p.Name, string(p.UID), p.Status.NextOrdinal)
	always := kubevirtv1.RunStrategyAlways
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	vm.Spec.RunStrategy, vm.Spec.Template = &always, &kubevirtv1.VirtualMachineInstanceTemplateSpec{}
	if w.store.create(vm) == nil {
		w.note("operator", name, "makes a VM of this name")
	}
}

func restartGuest(w *Environment, s *stream) {
	vm := w.anyVM(s)
	if vm == nil {
		return
	}
	if g := w.kubevirt.guests[vm.UID]; g != nil {
		g.restart(pick(s, 3*time.Second, 40*time.Second, 3*time.Minute))
	}
}

func (n *nomadServer) dispatch(s *stream) {
	for _, j := range n.jobs {
		switch more := 1 + s.IntN(3); j.kind {
		case batch:
			j.count += more
		case sysbatch:
			j.count, j.run = 1, j.run+1
		}
	}
	n.evaluate()
}

func deletePool(w *Environment, s *stream) {
	p := w.pool()
	if p == nil {
		return
	}
	w.note("operator", poolName, "deletes the pool, and makes another of its name later")
	_ = w.store.remove(idOf(p), p.UID) // it was there a moment ago
	w.after(s.between(time.Second, 2*time.Minute), func() {
		if w.faulty {
			w.order()
		}
	})
}

// isExternal reports whether a VM was not made by the controllers.
func (w *Environment) isExternal(o client.Object) bool { return w.checks.owned[o.GetUID()] == "" }
