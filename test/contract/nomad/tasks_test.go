package nomad_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// never has a task that isn't restarted, of a job that isn't rescheduled.
func never(j *api.Job) {
	j.TaskGroups[0].RestartPolicy = &api.RestartPolicy{Attempts: new(0), Interval: new(time.Minute),
		Delay: new(time.Second), Mode: new("fail")}
	j.TaskGroups[0].ReschedulePolicy = &api.ReschedulePolicy{Attempts: new(0), Unlimited: new(false),
		Interval: new(time.Minute), Delay: new(5 * time.Second), DelayFunction: new("constant"), MaxDelay: new(time.Minute)}
}

// lines is what is in a file that tasks write to.
func lines(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

func (c *check) stop(job string) time.Time {
	_, _, err := c.api.Jobs().Deregister(job, false, nil)
	c.must(err)
	return time.Now()
}

var tasks = []behaviour{
	{"task-is-a-process-with-its-environment", "§7", func(c *check) {
		c.agent()
		out := filepath.Join(c.dir(), "out")
		job := c.run(c.jobOf("batch", 1, "echo $NOMAD_JOB_ID $NOMAD_ALLOC_INDEX $NOMAD_TASK_NAME $NOMAD_ALLOC_ID > "+out))
		id := c.awaitClient(job, "complete", 1)[0].ID
		c.equal("environment", lines(out), []string{job, "0", "task", id})
	}},
	{"task-exit-code-is-told", "§7", func(c *check) {
		c.agent()
		job := c.run(c.jobOf("batch", 1, "exit 3", never))
		a := c.awaitClient(job, "failed", 1)[0]
		state := a.TaskStates["task"]
		var code string
		for _, e := range state.Events {
			if e.Type == "Terminated" {
				code = e.Details["exit_code"]
			}
		}
		c.holds("failed with 3", state.Failed && state.State == "dead" && code == "3", state.Failed, state.State, code)
	}},
	{"task-restarts-in-place", "§7", func(c *check) {
		c.agent()
		out := filepath.Join(c.dir(), "out")
		job := c.run(c.jobOf("batch", 1, "echo x >> "+out+"; test $(wc -l < "+out+") -ge 2", never, func(j *api.Job) {
			j.TaskGroups[0].RestartPolicy = &api.RestartPolicy{Attempts: new(2), Interval: new(time.Minute),
				Delay: new(200 * time.Millisecond), Mode: new("fail")}
		}))
		a := c.awaitClient(job, "complete", 1)[0]
		c.equal("runs", len(lines(out)), 2)
		c.equal("restarts", a.TaskStates["task"].Restarts, uint64(1))
		c.equal("allocations", len(c.allocations(job)), 1)
	}},
	{"task-that-failed-is-rescheduled", "§7", func(c *check) {
		c.agent()
		job := c.run(c.jobOf("batch", 1, "exit 1", never, func(j *api.Job) {
			p := j.TaskGroups[0].ReschedulePolicy
			p.Attempts, p.Interval = new(1), new(time.Hour)
		}))
		c.awaitClient(job, "failed", 2)
		var next int
		for _, a := range c.allocations(job) {
			if a.NextAllocation != "" {
				next++
			}
		}
		c.equal("with a successor", next, 1)
	}},
	{"task-gets-its-signal-first", "§2 kill_timeout", func(c *check) {
		c.agent()
		out := filepath.Join(c.dir(), "out")
		job := c.run(
			c.jobOf("service", 1, "trap 'echo asked >> "+out+"; exit 0' INT; while :; do sleep 0.1; done", func(j *api.Job) {
				j.TaskGroups[0].Tasks[0].KillTimeout = new(30 * time.Second)
			}),
		)
		c.awaitRunning(job, 1)
		began := c.stop(job)
		c.awaitClient(job, "complete", 1)
		c.holds("asked, and soon over", len(lines(out)) == 1 && time.Since(began) < 25*time.Second, lines(out),
			time.Since(began))
	}},
	{"task-is-killed-after-kill-timeout", "§2 kill_timeout", func(c *check) {
		c.agent()
		job := c.run(c.jobOf("service", 1, "trap '' INT TERM; while :; do sleep 0.1; done", func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].KillTimeout = new(2 * time.Second)
		}))
		c.awaitRunning(job, 1)
		began := c.stop(job)
		c.awaitClient(job, "complete", 1)
		took := time.Since(began)
		c.holds("after its timeout", took > 1900*time.Millisecond && took < 20*time.Second, took)
	}},
	{"task-kill-timeout-is-limited-by-the-client", "§2 max_kill_timeout", func(c *check) {
		c.agent(`max_kill_timeout = "1s"`)
		job := c.run(c.jobOf("service", 1, "trap '' INT TERM; while :; do sleep 0.1; done", func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].KillTimeout = new(time.Minute)
		}))
		c.awaitRunning(job, 1)
		began := c.stop(job)
		c.awaitClient(job, "complete", 1)
		c.holds("long before a minute", time.Since(began) < 30*time.Second, time.Since(began))
	}},
	{"task-shutdown-delay-comes-first", "§2 shutdown_delay", func(c *check) {
		c.agent()
		job := c.run(c.jobOf("service", 1, "sleep 300", func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].ShutdownDelay = 2 * time.Second
		}))
		c.awaitRunning(job, 1)
		began := c.stop(job)
		c.awaitClient(job, "complete", 1)
		c.holds("after it", time.Since(began) > 1900*time.Millisecond, time.Since(began))
	}},
	{"task-group-shutdown-delay-comes-first", "§2 shutdown_delay", func(c *check) {
		c.agent()
		job := c.run(
			c.jobOf("service", 1, "sleep 300", func(j *api.Job) { j.TaskGroups[0].ShutdownDelay = new(2 * time.Second) }))
		c.awaitRunning(job, 1)
		began := c.stop(job)
		c.awaitClient(job, "complete", 1)
		c.holds("after it", time.Since(began) > 1900*time.Millisecond, time.Since(began))
	}},
	{"task-poststop-runs-after-the-others", "§2", func(c *check) {
		c.agent()
		out := filepath.Join(c.dir(), "out")
		job := c.run(
			c.jobOf("service", 1, "trap 'echo main >> "+out+"; exit 0' INT; while :; do sleep 0.1; done", func(j *api.Job) {
				last := api.NewTask("last", "raw_exec").
					SetConfig("command", "/bin/sh").
					SetConfig("args", []string{"-c", "sleep 1; echo last >> " + out})
				last.Lifecycle, last.Resources = &api.TaskLifecycle{Hook: "poststop"}, &api.Resources{CPU: new(20),
					MemoryMB: new(16)}
				last.LogConfig = &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(4)}
				j.TaskGroups[0].AddTask(last)
				j.TaskGroups[0].Tasks[0].KillTimeout = new(5 * time.Second)
			}),
		)
		c.awaitRunning(job, 1)
		time.Sleep(500 * time.Millisecond) // the shell sets its trap
		c.stop(job)
		c.awaitClient(job, "complete", 1)
		c.equal("order", lines(out), []string{"main", "last"})
	}},
	{"task-drain-stops-the-process", "§2", func(c *check) {
		a := c.agent()
		out := filepath.Join(c.dir(), "out")
		job := c.run(
			c.jobOf("service", 1, "trap 'echo asked >> "+out+"; exit 0' INT; while :; do sleep 0.1; done", func(j *api.Job) {
				j.TaskGroups[0].Tasks[0].KillTimeout = new(5 * time.Second)
			}),
		)
		c.awaitRunning(job, 1)
		time.Sleep(500 * time.Millisecond)
		c.drain(a.id(), time.Hour)
		c.awaitMoved(a.id())
		c.awaitClient(job, "complete", 1)
		c.equal("output", lines(out), []string{"asked"})
	}},
	{"task-without-its-program-fails", "§7", func(c *check) {
		c.agent()
		job := c.run(c.job("batch", 1, never, func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].Config = map[string]any{"command": "/nowhere/at/all"}
		}))
		a := c.awaitClient(job, "failed", 1)[0]
		var reported bool
		for _, e := range a.TaskStates["task"].Events {
			reported = reported || e.Type == "Driver Failure"
		}
		c.holds("a driver failure is told", reported, fmt.Sprint(a.TaskStates["task"].Events))
	}},
}
