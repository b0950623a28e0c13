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
				w.note("Nomad", "", "is away for %s", lasts.Truncate(time.Second))
				w.nomad.away = w.now.Add(lasts)
				return
			}
			for _, p := range w.processes {
				if !p.dead {
					w.note(p.name, "", "can't reach Nomad for %s", lasts.Truncate(time.Second))
					p.nomad.cut = w.now.Add(lasts)
				}
			}
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
