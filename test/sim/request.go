package sim

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// call is one request of a process to the API server.
type call struct {
	verb   string
	id     id
	status bool
	uid    types.UID
	object client.Object
	patch  []byte
}

func (c call) writes() bool { return c.verb != "get" && c.verb != "list" }

// request carries out a call, with all that can happen on the way: others act first, it fails before it has an effect,
// it is refused, the process dies after its effect, or its answer is lost.
func (p *process) request(c call, effect func() error) error {
	w, t := p.w, p.w.running
	s := w.chance.of("requests")
	w.fleet.asks(c)
	t.pass(p.delay(s))
	if err := p.failsBefore(s, c); err != nil {
		return err
	}
	if !c.writes() {
		err := effect()
		t.pass(s.between(0, 5*time.Millisecond))
		return err
	}
	w.writes++
	before := w.store.get(c.id)
	err := effect()
	w.noteCall(t, c, before, err)
	if err != nil {
		return err
	}
	w.checks.after(t, c, before)
	if w.faulty && w.chance.of("crashes").once(w.Faults.Crashes) {
		t.die("after its write")
	}
	if w.faulty && w.chance.of("errors").once(w.Faults.Errors) {
		t.pass(s.between(time.Second, 10*time.Second))
		return apierrors.NewTimeoutError("the answer was lost", 1)
	}
	t.pass(s.between(0, 5*time.Millisecond))
	return nil
}

// delay is how long a request is on its way. Once in a while a process stands still for longer than its lease lasts.
func (p *process) delay(s *stream) time.Duration {
	w := p.w
	switch {
	case !w.faulty:
		return s.between(time.Millisecond, 10*time.Millisecond)
	case w.chance.of("freeze").once(w.Faults.Freezes):
		return s.between(time.Second, 10*time.Second) // then its lease is over, and so is the process
	default:
		return s.rarely(20, 10*time.Millisecond, 2*time.Second)
	}
}

func (p *process) failsBefore(s *stream, c call) error {
	w := p.w
	if !w.faulty {
		return nil
	}
	e := w.chance.of("errors")
	if c.writes() && w.chance.of("crashes").once(2*w.Faults.Crashes) {
		w.running.die("before its write")
	}
	switch {
	case e.once(w.Faults.Errors):
		return apierrors.NewInternalError(errAway)
	case c.verb == "patch" && w.chance.of("conflicts").once(w.Faults.Conflicts):
		return apierrors.NewConflict(resourceOf(c.id.kind), c.id.name, errAway)
	case c.writes():
		return w.harvester.refuses(s, c)
	}
	return nil
}
