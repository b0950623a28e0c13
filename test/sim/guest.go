package sim

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// guest is what runs in a VM: a Nomad client, if its VM is a member's.
type guest struct {
	w        *Environment
	name     string
	vm       types.UID
	nodeID   string
	lives    bool // the client runs
	joined   bool // and Nomad has heard of it
	knocks   bool // it tries to reach servers that are away
	cut      bool // nothing gets through between it and Nomad
	stopping bool
	orphan   bool // its VM is gone without it
	another  bool // it registers under another ID next time
	// nomad is what it joins.
	nomad *nomadServer
}

func newGuest(w *Environment, vm *kubevirtv1.VirtualMachine) *guest {
	g := &guest{w: w, name: vm.Name, vm: vm.UID, nomad: w.nomad}
	// The guest of a copy of a member's VM doesn't join under the member's ID.
	if w.checks.owned[vm.UID] != "" {
		g.nodeID = cmp.Or(w.checks.otherIDOf[vm.UID], w.checks.members[vm.Name].nodeID)
		g.nomad = w.kubevirt.joins(vm)
	}
	return g
}

// boot brings the client up after a while, or never.
func (g *guest) boot() {
	s := g.w.chance.of("guests")
	if g.nodeID == "" || s.once(g.w.Faults.Broken) {
		g.w.note("guest", g.name, "doesn't join")
		return
	}
	least := g.w.Boot / 4
	wait := s.between(least, g.w.Boot)
	if g.w.faulty && s.once(g.w.Faults.Late) {
		wait = s.between(g.w.Boot, 2*g.w.JoinTimeout)
	}
	g.w.after(wait, func() {
		if !g.stopping && !g.refusesToken() {
			if g.another || g.mislays() {
				g.mislay()
			}
			g.lives = true
			g.nomad.register(g)
		}
	})
}

// stop ends the client; Nomad notices later.
func (g *guest) stop() {
	g.lives, g.joined = false, false
	g.nomad.lost(g)
}

// cutOff has a client go on, and Nomad hear nothing of it for a while.
func (g *guest) cutOff(away time.Duration) {
	if g.stopping || !g.lives || g.cut {
		return
	}
	g.w.note("guest", g.name, "its client is out of touch for %s", away.Truncate(time.Second))
	g.cut, g.joined = true, false
	g.nomad.lost(g)
	g.w.after(away, func() {
		g.cut = false
		if !g.stopping && g.lives {
			g.nomad.register(g)
		}
	})
}

// restart is a reboot of the guest, or of its client alone.
func (g *guest) restart(away time.Duration) {
	if g.stopping || !g.lives {
		return
	}
	g.w.note("guest", g.name, "its client is away for %s", away.Truncate(time.Second))
	g.stop()
	g.w.after(away, func() {
		if !g.stopping && !g.lives {
			if g.another {
				g.mislay()
			}
			g.lives = true
			g.nomad.register(g)
		}
	})
}
