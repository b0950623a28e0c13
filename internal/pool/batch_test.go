package pool_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// The drain of a member isn't canceled while a batch job's allocation is being stopped on its node: Nomad would run it
// a second time.
func TestDrainThatStopsBatchWorkIsNotCanceled(t *testing.T) {
	none, runs := nodestate.Batch{Known: true}, nodestate.Batch{Known: true, Live: true}
	stops := nodestate.Batch{Known: true, Live: true, Stopping: true}
	const sent, other = "request-1", ""
	for name, c := range map[string]struct {
		batch   nodestate.Batch
		drainID string
		left    time.Duration
		retain  bool
		want    bool
	}{
		"none, in time":                      {none, sent, time.Minute, false, true},
		"none, after the deadline":           {none, sent, -time.Minute, false, true},
		"it runs, in time":                   {runs, sent, 16 * time.Second, false, true},
		"it runs, the deadline is near":      {runs, sent, 15 * time.Second, false, false},
		"it runs, after the deadline":        {runs, sent, -time.Minute, false, false},
		"it runs, retained":                  {runs, sent, -time.Minute, true, true},
		"it runs, nothing was sent":          {runs, "request-0", -time.Minute, false, true},
		"it stops, in time":                  {stops, sent, time.Minute, false, false},
		"it stops, by somebody else's drain": {stops, other, time.Minute, false, false},
		"it stops, retained":                 {stops, sent, time.Minute, true, false},
		"not known, in time":                 {nodestate.Batch{}, sent, time.Minute, false, true},
		"not known, after the deadline":      {nodestate.Batch{}, sent, 0, false, false},
		"not known, nothing was sent":        {nodestate.Batch{}, other, 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := nodestate.State{Now: now, Node: nodestate.Node{Name: "a", Joined: true, VMMade: true,
				Drain: nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-time.Hour), now.Add(c.left))},
				Nomad: nodestate.Nomad{Known: true, Registered: true, Status: "ready", DrainID: c.drainID,
					DrainOnTimeout: v1alpha1.DrainForce, Batch: c.batch}}
			if c.retain {
				s.Nomad.DrainOnTimeout = v1alpha1.DrainRetain
			}
			if got := pool.MemberOf(s).Reclaimable; got != c.want {
				t.Errorf("reclaimable: %t", got)
			}
		})
	}
}
