package sim

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// A goldenTrace is a schedule without chance: everything takes as long as it usually does, and what others do is
// written down.
type goldenTrace struct {
	name, about string
	replicas    int32
	jobs        []*job
	does        map[time.Duration]func(*Environment)
	lasts       time.Duration
}

// goldenTraces are the main ones. Their traces are kept as text, to be read and compared.
func goldenTraces() []goldenTrace {
	web := func(n int) []*job { return []*job{{name: "web", kind: service, count: n, parallel: 1}} }
	return []goldenTrace{
		{
			name: "scale-out", about: "An autoscaler asks for two members more.", replicas: 1, jobs: web(1),
			lasts: 4 * time.Minute,
			does:  map[time.Duration]func(*Environment){2 * time.Minute: toReplicas(3)},
		},
		{
			name: "scale-in",
			about: "One of two members is no longer needed. Its work moves to the other, one allocation at a " +
				"time, then its VM goes, and nothing of it is left.",
			replicas: 2, lasts: 4 * time.Minute,
			does: map[time.Duration]func(*Environment){time.Minute: runs(web(4)), 2 * time.Minute: toReplicas(1)},
		},
		{
			name:     "cancel-drain",
			about:    "Capacity is asked for again while a member drains a batch job. Its drain is canceled; no VM is made.",
			replicas: 2, jobs: []*job{{name: "report", kind: batch, count: 8, lasts: 20 * time.Minute}}, lasts: 4 * time.Minute,
			does: map[time.Duration]func(*Environment){2 * time.Minute: toReplicas(1),
				2*time.Minute + 20*time.Second: toReplicas(2)},
		},
		{
			name: "rollout", about: "The template changes. A member of the new one joins before one of the old drains.",
			replicas: 2, jobs: web(2), lasts: 7 * time.Minute,
			does: map[time.Duration]func(*Environment){2 * time.Minute: func(w *Environment) {
				w.edit("changes the template to 4 CPUs", func(p *v1alpha1.NomadNodePool) { p.Spec.Template.CPU = 4 })
			}},
		},
		{
			name: "join-failure",
			about: "Guests made from a new image never join. After three the pool stops making them, until somebody " +
				"asks for another try.",
			replicas: 1, lasts: 95 * time.Minute,
			does: map[time.Duration]func(*Environment){
				0: func(w *Environment) { w.Faults.Broken = 1 },
				50 * time.Minute: func(w *Environment) {
					w.Faults.Broken = 0
					w.edit("has mended the image, and asks for another try", func(p *v1alpha1.NomadNodePool) {
						p.Annotations = map[string]string{v1alpha1.RetryJoinsAnnotation: "1"}
					})
				},
			},
		},
		{
			name:     "nomad-outage",
			about:    "Nomad is away when a member is to leave. Nobody leaves; when it is back, and only then, somebody does.",
			replicas: 2, jobs: web(1), lasts: 8 * time.Minute,
			does: map[time.Duration]func(*Environment){
				2 * time.Minute: func(w *Environment) {
					w.nomad.note("", "is away for 3 minutes")
					w.nomad.away = w.now.Add(3 * time.Minute)
				},
				3 * time.Minute: toReplicas(1),
			},
		},
	}
}

func runs(jobs []*job) func(*Environment) {
	return func(w *Environment) {
		w.nomad.jobs = jobs
		w.nomad.evaluate()
	}
}

func toReplicas(n int32) func(*Environment) {
	return func(w *Environment) {
		w.note("autoscaler", poolName, "asks for %d replicas", n)
		change(w.store, w.pool(), func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](n) })
	}
}

// Golden returns the golden traces, by name.
func Golden() map[string]string {
	out := map[string]string{}
	for _, s := range goldenTraces() {
		out[s.name] = s.play()
	}
	return out
}

func (s goldenTrace) play() string {
	w := s.environment(Mutation{})
	if v := w.checks.violation; v != nil {
		return v.String()
	}
	return s.about + "\n\n" + w.trace.digest()
}

// environment is what is there at the end.
func (s goldenTrace) environment(m Mutation) *Environment {
	sc := Scenario{Seed: 1, Pool: basePool(), Boot: 40 * time.Second, Shutdown: 10 * time.Second,
		JoinTimeout: 10 * time.Minute, Span: s.lasts, GCInterval: 5 * time.Minute, GCGracePeriod: 15 * time.Minute,
		Mutation: m}
	sc.Pool.Replicas = ptr.To(s.replicas)
	w := newEnvironment(sc)
	w.trace.on, w.faulty = true, false
	w.chance = newChance(sc.Seed)
	w.chance.calm = true
	w.nomad.jobs = s.jobs
	w.order()
	w.boot()
	for at, do := range s.does {
		w.after(at, func() { do(w) })
	}
	w.run(epoch.Add(s.lasts))
	for _, p := range w.processes {
		p.bury()
	}
	return w
}

// digest is a trace without what only matters to those who look for a mistake: to the second, members by number, what
// is repeated within a moment only once, and of the controllers' patches none.
func (t *trace) digest() string {
	var b strings.Builder
	last := map[string]time.Time{}
	number := t.numbers()
	for _, l := range t.lines {
		text, about := number.Replace(l.text), number.Replace(l.about)
		again := l.at.Sub(last[about+text]) < 5*time.Second
		last[about+text] = l.at
		if again || strings.HasPrefix(text, "patch ") || strings.Contains(text, "not found") ||
			strings.Contains(text, "already exists") {
			continue
		}
		fmt.Fprintf(&b, "%6.0fs  %-12s %-9s %s\n", l.at.Sub(epoch).Seconds(), l.actor, about, text)
	}
	return b.String()
}

// numbers replaces the members' names by numbers, in the order in which they were made.
func (t *trace) numbers() *strings.Replacer {
	var pairs []string
	for _, l := range t.lines {
		if name, made := strings.CutPrefix(l.text, "create NomadNode "); made && !strings.Contains(name, ":") {
			pairs = append(pairs, name, fmt.Sprintf("member-%d", len(pairs)/2+1))
		}
	}
	return strings.NewReplacer(pairs...)
}
