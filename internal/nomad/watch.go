package nomad

import (
	"context"
	"errors"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// maxBackoff bounds the pause after repeated failures, and with it how late a recovery is noticed.
const maxBackoff = 10 * time.Second

// backoff gives the pauses after failures in a row: each is twice the one before, and drawn at random between half
// and all of that, so that the watchers of many controllers don't come back at the same moment.
func backoff(base time.Duration) wait.Backoff {
	return wait.Backoff{Duration: min(base, maxBackoff) / 2, Factor: 2, Jitter: 1, Cap: maxBackoff / 2, Steps: math.MaxInt}
}

// maxListFailures is how many lists in a row have to fail before Nomad counts as unreachable. That takes a second or
// two if each fails at once. One dropped connection, or a request during an election, must not make everything unknown:
// it would reset the timers of unhealthy nodes, which would then never be replaced. Meanwhile the age of the view
// limits what may be based on it.
const maxListFailures = 3

// counts reports if the n-th failure of a list in a row changes the health. A refusal, a list that is too long or too
// large, and a timeout do at once: the first are answers, and a timeout has already waited long enough. So does an
// address that isn't dialled.
func counts(err error, n int) bool {
	return n >= maxListFailures || errors.Is(err, ErrForbidden) || timedOut(err) || errors.Is(err, errTooManyNodes) ||
		errors.Is(err, errTooLarge) || isRefusedAddress(err)
}

// run watches until ctx ends.
func (c *cluster) run(ctx context.Context) {
	defer c.remote.close()
	done := make(chan struct{}, 2)
	go func() { c.keepRunning(ctx, "token", c.watchToken); done <- struct{}{} }()
	go func() { c.keepRunning(ctx, "allocations", c.watchAllocations); done <- struct{}{} }()
	c.keepRunning(ctx, "nodes", c.watchNodes)
	<-done
	<-done
}

// watchNodes keeps the list of nodes fresh: each request waits at the server until some node changes, or returns after
// PollNodes, which shows that Nomad still answers.
func (c *cluster) watchNodes(ctx context.Context) {
	var (
		index    uint64
		changed  bool // since the leader was asked for
		failures int
		pauses   = backoff(c.o.MinInterval)
		askedFor time.Time // the leader
		kept     = holdingNodes(c.shared.nodes)
	)
	defer func() { kept.release() }()
	for ctx.Err() == nil {
		c.beat()
		began := c.o.Clock.Now()
		reading := kept.again()
		if index == 0 { // this list is what they ask for
			clearWake(c.refresh)
		}
		waiting, woken := untilWoken(ctx, c.refresh, index != 0)
		list, err := c.remote.listNodes(waiting, index, c.o.PollNodes, reading)
		if early := woken(); ctx.Err() != nil {
			reading.giveUp()
			return
		} else if early && err != nil {
			reading.giveUp()
			index = 0
			continue
		}
		if err != nil {
			reading.giveUp()
			index, failures, askedFor = 0, failures+1, time.Time{}
			if counts(err, failures) {
				c.noteHealth(c.state.listFailed(err, c.o.Clock.Now()))
			}
			c.noteError(err)
			c.pause(ctx, max(pauses.Step(), listPause(list.bytes, err)), c.wakeNodes)
			continue
		}
		// In a cluster that never had a node the index is 0, which would mean not to wait.
		next, answered := max(list.next, 1), c.o.Clock.Now()
		// The leader is noted before the nodes, because a change of leader may be why they look down.
		changed = changed || next != index
		if c.leaderDue(answered.Sub(askedFor), changed) && c.noteLeader(ctx) {
			askedFor, changed = answered, false
		}
		index, failures, pauses = next, 0, backoff(c.o.MinInterval)
		ids, health := c.state.listed(list.nodes, answered)
		reading.keep()
		kept = reading
		c.noteHealth(health)
		c.noteChanged(ids)
		// Any write to any node of the whole cluster ends the wait, not only to members.
		c.pause(ctx, max(c.o.MinInterval-c.o.Clock.Since(began), listPause(list.bytes, nil)), nil)
	}
}

// maxTokenFailures is after how many failures in a row the token's grants count as unknown.
const maxTokenFailures = 3

// watchToken checks the token at the start, every few minutes, and soon after a request was refused.
func (c *cluster) watchToken(ctx context.Context) {
	failures, pauses := 0, backoff(c.o.MinInterval)
	for ctx.Err() == nil {
		_, err := c.checkToken(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			// The first failures leave the earlier result in force: if Nomad is unreachable the list of nodes fails as well and
			// reports it.
			if failures++; failures >= maxTokenFailures {
				c.noteHealth(c.state.judged(unverifiable(err), c.o.Clock.Now()))
			}
			c.pause(ctx, pauses.Step(), nil)
			continue
		}
		failures, pauses = 0, backoff(c.o.MinInterval)
		c.pause(ctx, tokenFloor(c.o.CheckToken), nil)
		c.pause(ctx, c.o.CheckToken, c.wakeToken)
	}
}

// tokenFloor is the least time between two checks, so that a token that is refused every second isn't checked every
// second.
func tokenFloor(interval time.Duration) time.Duration { return min(interval, 5*time.Second) }

// watchAllocations follows the allocations of what is tracked: each request waits at the server until some allocation
// changes.
func (c *cluster) watchAllocations(ctx context.Context) {
	pauses, kept := backoff(c.o.PollAllocations), holdingAllocations(c.shared.allocations)
	var (
		of     uint64 // when a node was last added to those that the latest list is of
		latest uint64 // its index
	)
	defer func() { kept.release() }()
	for ctx.Err() == nil {
		ids, added := c.state.trackedNodes()
		if len(ids) == 0 {
			kept.release() // what is kept of a node goes when it isn't tracked any more
			select {
			case <-ctx.Done():
			case <-c.wakePoll:
			}
			continue
		}
		started := c.o.Clock.Now()
		reading := kept.again()
		if added != of {
			of, latest = added, 0
		}
		waiting, woken := untilWoken(ctx, c.wakePoll, latest != 0)
		list, err := c.remote.liveAllocations(waiting, ids, since{latest, c.o.AwaitAllocations}, reading)
		if early := woken(); ctx.Err() != nil {
			reading.giveUp()
			return
		} else if early && err != nil {
			reading.giveUp()
			continue // a node was added
		}
		latest = list.next
		waited := c.o.Clock.Since(started)
		c.noteError(err)
		if list.live == nil {
			reading.giveUp()
			c.state.pollFailed(err)
			c.pause(ctx, max(pauses.Step(), listPause(list.bytes, err)), nil)
			continue
		}
		pauses = backoff(c.o.PollAllocations)
		c.noteChanged(c.state.polled(list.live, started, err))
		reading.keep()
		kept = reading
		c.pause(ctx, listPause(list.bytes, nil)-c.o.PollAllocations, nil)
		// Nodes are tracked one after the other: the first part of the pause lets them come together.
		c.pause(ctx, c.o.PollAllocations/4, nil)
		c.pause(ctx, c.o.PollAllocations*3/4-waited, c.wakePoll)
	}
}

// leaderDue is true if the leader is to be asked for again. A list without a change tells nothing that depends on it.
func (c *cluster) leaderDue(ago time.Duration, changed bool) bool {
	return ago >= c.o.AskLeader && changed || ago >= 2*c.o.PollNodes
}

// untilWoken has the context of a request that waits for a change end as soon as something is sent on wake. woken ends
// it in any case, and returns whether something was. A request that doesn't wait isn't ended early.
func untilWoken(ctx context.Context, wake <-chan struct{}, waits bool) (waiting context.Context, woken func() bool) {
	if !waits {
		return ctx, func() bool { return false }
	}
	waiting, cancel := context.WithCancel(ctx)
	early := make(chan bool, 1) // nobody may ask for it
	go func() {
		select {
		case <-wake:
			cancel()
			early <- true
		case <-waiting.Done():
			early <- false
		}
	}()
	return waiting, func() bool {
		cancel()
		return <-early
	}
}

// pause waits, unless ctx ends or something is sent on wake.
func (c *cluster) pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := c.o.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C():
	}
}

// wake sends without waiting: one that is pending already is enough.
func wake(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// clearWake forgets what was sent on wake and nobody has received.
func clearWake(ch <-chan struct{}) {
	select {
	case <-ch:
	default:
	}
}

func (c *cluster) noteChanged(ids []string) {
	if len(ids) > 0 {
		c.o.OnChange(c, ids)
	}
}

// noteHealth is called after each list and each check of the token.
func (c *cluster) noteHealth(changed bool) {
	health := c.state.view().Health
	if skipped, due := c.healthLog.due(health.State, c.o.Clock.Now()); due {
		c.log.Info("Nomad's health changed", "ok", health.OK(), "state", health.State, "cause", health.Cause, "lacks",
			health.Lacks, "unlogged", skipped)
	}
	if changed {
		c.o.OnChange(c, nil)
	}
}

// noteError has the token checked after a refusal.
func (c *cluster) noteError(err error) {
	if errors.Is(err, ErrForbidden) {
		wake(c.wakeToken)
	}
}
