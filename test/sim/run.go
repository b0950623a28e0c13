package sim

import (
	"fmt"
	"time"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Result is what came of a schedule.
type Result struct {
	Steps, Crashes int
	// Violation is nil if everything held.
	Violation *Violation
	trace     *trace
}

// Run runs one schedule.
func Run(sc Scenario) Result { return run(sc, false) }

func run(sc Scenario, traced bool) Result {
	w := newEnvironment(sc)
	w.trace.on = traced
	w.order()
	w.boot()
	w.operate()
	w.chaos()
	w.run(epoch.Add(sc.Span))
	w.comeToRest()
	for _, p := range w.processes {
		p.bury()
	}
	return Result{Steps: w.steps, Crashes: w.crashes, Violation: w.checks.violation, trace: w.trace}
}

func newEnvironment(sc Scenario) *Environment {
	w := assemble(sc, newChecks)
	w.faulty = true
	w.collect()
	w.furnish()
	w.nomad.employ()
	w.other.employ()
	return w
}

// assemble makes an environment without faults, in which there is nothing yet.
func assemble(sc Scenario, checks func(*Environment) *checks) *Environment {
	w := &Environment{Scenario: sc, now: epoch, chance: newChance(sc.Seed), trace: &trace{}}
	w.store = newStore(w)
	w.nomad, w.other = newNomadServer(w, first), newNomadServer(w, second)
	w.home = w.nomad
	w.checks = checks(w)
	w.kubevirt = newKubevirt(w)
	w.harvester = newHarvester(w)
	return w
}

// comeToRest ends the faults, tidies up what others left behind, and waits for the environment to come to rest.
func (w *Environment) comeToRest() {
	if w.checks.failed() {
		return
	}
	w.note("", "", "---- the faults end")
	w.faulty, w.Faults.Broken, w.calm = false, 0, w.now
	w.harvester.refusing, w.harvester.frozen, w.kubevirt.full, w.Faults.Blocks = w.now, w.now, w.now, 0
	for _, n := range w.nomads() {
		n.away, n.readJobLost = w.now, w.now
	}
	for _, p := range w.processes[:len(w.processes)-1] {
		w.kill(p, "ends")
	}
	for _, c := range w.processes[len(w.processes)-1].clusters {
		c.cut = w.now
	}
	w.tidy()
	if w.End != Stays {
		w.end()
	}
	w.await()
	w.rest()
}

// end deletes the pool.
func (w *Environment) end() {
	w.note("operator", poolName, "deletes the pool for good")
	if p := w.pool(); p != nil {
		_ = w.store.remove(idOf(p), p.UID) // it was there a moment ago
	}
	if w.End == DeletedUnseen {
		for _, n := range w.nomads() {
			n.note("", "is gone for good")
			n.away = w.now.Add(1000 * time.Hour)
		}
	}
	w.free()
}

// tidy is what an operator does in the end: undo what operators did and what would block the pool for ever. What
// the controllers did they must undo themselves.
func (w *Environment) tidy() {
	if w.pool() == nil {
		w.order()
	}
	w.endUpgrade()
	w.rightAddress()
	w.leadTo(w.nomad)
	for _, host := range hosts {
		w.endMaintenance(host)
	}
	w.edit("lets the pool go on", func(p *v1alpha1.NomadNodePool) {
		p.Spec.Paused = false
		p.Spec.ScaleIn.Drain.OnTimeout = v1alpha1.DrainForce
		p.Spec.ScaleIn.Strategy = v1alpha1.LeastBusy
		p.Spec.ScaleIn.StabilizationWindow = nil
	})
	for _, o := range w.store.all(kindNode) {
		change(w.store, o.(*v1alpha1.NomadNode),
			func(n *v1alpha1.NomadNode) { delete(n.Annotations, v1alpha1.ProtectAnnotation) })
	}
	for _, o := range w.store.all(kindVM) {
		if vm := o.(*kubevirtv1.VirtualMachine); halted(vm) && vm.Annotations[nodestate.AboveQuotaAnnotation] == "" {
			w.kubevirt.halt(vm, false)
		}
	}
	w.show()
	w.uncordon()
}

// mostRest is how long the environment may take to come to rest: for a drain, for a Nomad that can't be asked, and for
// members that are replaced one by one.
const mostRest = 3 * time.Hour

// await waits for the fixpoint, and until the controllers have seen what no watch has told them.
func (w *Environment) await() {
	about, why := "", ""
	for end := w.now.Add(mostRest); w.now.Before(end); {
		w.run(w.now.Add(10 * time.Second))
		if w.checks.failed() {
			return
		}
		if about, why = w.unrest(); why == "" && w.now.After(w.unsignaled.Add(nomadlink.Refresh)) {
			return
		}
		w.nurse()
	}
	w.violate(map[bool]string{true: "I10", false: "I7"}[w.End == DeletedUnseen], about, "no fixpoint after %s: %s",
		mostRest, why)
}

// rest checks I8: at the fixpoint nothing is written, and not by a controller that was started anew either.
func (w *Environment) rest() {
	if w.checks.failed() {
		return
	}
	w.run(w.now.Add(2 * time.Minute))
	w.still("at the fixpoint")
	w.reportedRightly()
	if w.checks.failed() {
		return
	}
	w.kill(w.processes[len(w.processes)-1], "is restarted")
	w.still("after a restart at the fixpoint")
	w.reportedRightly()
}

// still checks that nothing is written for a while, and that the fixpoint lasts.
func (w *Environment) still(when string) {
	before := w.writes
	w.run(w.now.Add(4 * time.Minute))
	if w.checks.failed() {
		return
	}
	if n := w.writes - before; n > 0 {
		w.violate("I8", "", "%d writes %s", n, when)
	}
	if about, why := w.unrest(); why != "" {
		w.violate("I7", about, "the fixpoint didn't last: %s", why)
	}
}

// Summary sums up many schedules.
type Summary struct{ Schedules, Steps, Crashes, Violations int }

func (s Summary) String() string {
	return fmt.Sprintf("sim: %d schedules, %d steps, %d crashes, %d violations", s.Schedules, s.Steps, s.Crashes,
		s.Violations)
}
