package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// A parent-death signal fires when the *thread* that forked the child ends, and Go ends threads as it
// likes. So every child is forked by one thread that lives as long as we do.
var spawner = sync.OnceValue(func() chan<- spawnRequest {
	requests := make(chan spawnRequest)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.result <- r.cmd.Start()
		}
	}()
	return requests
})

type spawnRequest struct {
	cmd    *exec.Cmd
	result chan error
}

func spawn(cmd *exec.Cmd) error {
	r := spawnRequest{cmd: cmd, result: make(chan error, 1)}
	spawner() <- r
	return <-r.result
}
