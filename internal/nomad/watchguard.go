package nomad

import (
	"context"
	"fmt"
	"runtime/debug"
)

// keep runs a watcher until ctx ends, and again after a pause if it panics. An answer that nobody thought of mustn't
// end the process, which looks after other clusters as well; what is known of this one grows old meanwhile, and isn't
// acted upon any more.
func (c *cluster) keep(ctx context.Context, watcher string, watch func(context.Context)) {
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
