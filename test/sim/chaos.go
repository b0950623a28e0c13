package sim

import "time"

// chaosStream names the random numbers for outages and leaders. A stream's name seeds it: another name would change
// every schedule, and with that those in testdata/mutants.txt.
const chaosStream = "weather"

// chaos schedules outages of Nomad and second leaders.
func (w *Environment) chaos() {
	s := w.chance.of(chaosStream)
	for range w.Faults.Outages {
		at, lasts, whole := s.between(0, w.Span), s.rarely(3, time.Minute, 13*time.Minute), s.once(2)
		w.after(at, func() {
			if !w.faulty {
				return
			}
			if whole {
				w.nomad.leave(lasts)
				return
			}
			w.cutOff(w.nomad, lasts)
		})
	}
	for range w.Faults.Leaders {
		at, lasts := s.between(0, w.Span), s.between(5*time.Second, 90*time.Second)
		w.after(at, func() {
			if !w.faulty {
				return
			}
			old := w.processes[len(w.processes)-1]
			w.boot()
			w.after(lasts, func() { w.kill(old, "has noticed that it no longer leads, and ends") })
		})
	}
}

// leave has the servers away for a while.
func (n *nomadServer) leave(lasts time.Duration) {
	n.note("", "is away for %s", lasts.Truncate(time.Second))
	n.away = n.w.now.Add(lasts)
}

// cutOff has all processes unable to reach a Nomad for a while.
func (w *Environment) cutOff(n *nomadServer, lasts time.Duration) {
	for _, p := range w.processes {
		if !p.dead {
			w.note(p.name, "", "can't reach %s for %s", n.name, lasts.Truncate(time.Second))
			p.to(n).cut = w.now.Add(lasts)
		}
	}
}

// kill ends a process from outside.
func (w *Environment) kill(p *process, why string) {
	if !p.dead {
		w.note(p.name, "", "%s", why)
		p.bury()
		w.lead()
	}
}

// lead sees to it that somebody leads, sooner or later.
func (w *Environment) lead() {
	for _, p := range w.processes {
		if !p.dead {
			return
		}
	}
	w.after(w.chance.of(chaosStream).between(500*time.Millisecond, 20*time.Second), func() {
		for _, p := range w.processes {
			if !p.dead {
				return
			}
		}
		w.boot()
	})
}
