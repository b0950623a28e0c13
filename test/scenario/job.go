package scenario

import (
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// policy scales the pool by the CPU that is allocated on its nodes. Nomad's own APM serves it; it aborts on nodes that
// drain unless it is told to ignore them, and cooldowns are short because this is a demo.
const policy = `
scaling "demo" {
  enabled = true
  min     = 1
  max     = 5

  policy {
    cooldown            = "5s"
    evaluation_interval = "2s"

    check "cpu" {
      source = "nomad-apm"
      query  = "percentage-allocated_cpu"

      strategy "target-value" {
        target = 70
      }
    }

    target "harvester" {
      node_pool_name = "demo"
      namespace      = "nomad-clients"
      node_class     = "demo"
    }
  }
}
`

// JobID is the story's job.
const JobID = "web"

// runJob registers the job with a count. Its tasks only sleep, but they are real processes under a real driver, and
// migrate as a service does.
func runJob(c *api.Client, count int) error {
	migrate := api.MigrateStrategy{
		MaxParallel: ptr(
			1), HealthCheck: ptr("task_states"), MinHealthyTime: ptr(time.Second), HealthyDeadline: ptr(time.Minute),
	}
	task := api.NewTask("web", "raw_exec").SetConfig("command", "sleep").SetConfig("args", []string{"86400"}).
		Require(&api.Resources{CPU: ptr(500), MemoryMB: ptr(64)})
	task.KillTimeout = ptr(5 * time.Second)
	group := api.NewTaskGroup("web", count).AddTask(task)
	group.Migrate = &migrate
	job := api.NewServiceJob(JobID, JobID, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
	job.NodePool = ptr(nodePool)
	if _, _, err := c.Jobs().Register(job, nil); err != nil {
		return fmt.Errorf("running job %s with count %d: %w", JobID, count, err)
	}
	return nil
}

func ptr[T any](v T) *T { return &v }
