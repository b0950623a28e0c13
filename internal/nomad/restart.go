package nomad

import (
	"context"
	"fmt"
	"runtime/debug"
)

// keepRunning runs a watcher until ctx ends. If the watcher panics it starts it again after a pause: an unexpected
// answer mustn't end the process, which serves other clusters as well. Meanwhile this cluster's view becomes too old to
// act upon.
func (c *cluster) keepRunning(ctx context.Context, watcher string, watch func(context.Context)) {
	for pauses := backoff(c.o.MinInterval); ctx.Err() == nil; {
		if !c.panicked(ctx, watcher, watch) {
			return
		}
		c.pause(ctx, pauses.Step(), nil)
	}
}

func (c *cluster) panicked(ctx context.Context, watcher string, watch func(context.Context)) (panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			c.log.Error(fmt.Errorf("panic: %v", p), "a watcher of Nomad begins anew", "watcher", watcher, "stack",
				string(debug.Stack()))
		}
	}()
	watch(ctx)
	return false
}
