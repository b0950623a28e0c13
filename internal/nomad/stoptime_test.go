package nomad

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

const someNode = "11111111-1111-4111-8111-111111111111"

func TestStopTimeIsTheLongestPromise(t *testing.T) {
	alloc := func(status string, group, delay, kill time.Duration) *api.Allocation {
		task := &api.Task{Name: "t", ShutdownDelay: delay, KillTimeout: &kill}
		other := &api.TaskGroup{Name: new("other"), Tasks: []*api.Task{{Name: "x", ShutdownDelay: time.Hour}}}
		job := &api.Job{TaskGroups: []*api.TaskGroup{other, {Name: new("g"), ShutdownDelay: &group, Tasks: []*api.Task{task, {Name: "u"}}}}}
		return &api.Allocation{ID: "a", Job: job, TaskGroup: "g", ClientStatus: status}
	}
	for name, tt := range map[string]struct {
		allocs []*api.Allocation
		want   time.Duration
	}{
		"nothing":        {nil, 0},
		"one":            {[]*api.Allocation{alloc("running", 60*time.Second, 0, 20*time.Second)}, 80 * time.Second},
		"the longest":    {[]*api.Allocation{alloc("running", 0, time.Second, time.Second), alloc("pending", 0, time.Minute, 10*time.Minute)}, 11 * time.Minute},
		"what has ended": {[]*api.Allocation{alloc("complete", time.Hour, 0, 0), alloc("unknown", 0, 0, 5*time.Second)}, 5 * time.Second},
		"without a job":  {[]*api.Allocation{{ID: "a", ClientStatus: "running"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(tt.allocs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := answering(t, saying(string(body))).StopTime(t.Context(), someNode)
			if err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	if _, err := answering(t, saying("[null]")).StopTime(t.Context(), someNode); err == nil {
		t.Error("a list with null in it is believed")
	}
}
