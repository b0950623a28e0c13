package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
)

// start runs a shell script in a guest, as a job of the member's node, and returns the job. A script that is cut off
// by the end of its guest runs again when that is back.
func start(t *testing.T, nodeID, script string) string {
	t.Helper()
	id := "inside-" + uuid.NewString()
	task := api.NewTask("sh", "raw_exec").
		SetConfig("command", "/bin/sh").SetConfig("args", []string{"-c", script}).
		Require(&api.Resources{CPU: new(50), MemoryMB: new(16)})
	group := api.NewTaskGroup("sh", 1).AddTask(task)
	group.RestartPolicy = &api.RestartPolicy{Attempts: new(20), Interval: new(time.Hour), Delay: new(time.Second),
		Mode: new("fail")}
	job := api.NewBatchJob(id, id, "global", 50).AddDatacenter("dc1").AddTaskGroup(group).
		Constrain(api.NewConstraint("${node.unique.id}", "=", nodeID))
	job.NodePool = new(pool)
	if _, _, err := w.Nomad.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, _, err := w.Nomad.Jobs().Deregister(id, false, nil); err != nil {
			t.Error(err)
		}
	})
	return id
}

// output waits until a script has ended well, and returns what it has said.
func output(t *testing.T, what, job string) string {
	t.Helper()
	output := ""
	eventually(t, what, func(ctx context.Context) error {
		options := (&api.QueryOptions{}).WithContext(ctx)
		allocations, _, err := w.Nomad.Jobs().Allocations(job, true, options)
		if err != nil {
			return err
		}
		for _, a := range allocations {
			if a.ClientStatus == api.AllocClientStatusComplete {
				output, err = stdout(a.ID, options)
				return err
			}
		}
		return fmt.Errorf("not complete: %d allocations", len(allocations))
	})
	return output
}

// stdout asks the server, which has a connection from the client; the client itself can't be reached from here.
func stdout(allocation string, options *api.QueryOptions) (string, error) {
	query := url.Values{"path": {"alloc/logs/sh.stdout.0"}}
	body, err := w.Nomad.Raw().Response("/v1/client/fs/cat/"+allocation+"?"+query.Encode(), options)
	if err != nil {
		return "", err
	}
	output, err := io.ReadAll(body)
	return string(output), errors.Join(err, body.Close())
}

// facts reads the lines "key value" that a script says.
func facts(output string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(output) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[key] = value
	}
	return out
}
