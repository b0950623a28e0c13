package client

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/nomad/api"
)

// stateFile is what a client keeps over restarts beside its ID and secret; a real one has a database.
const stateFile = "state.json"

type keptState struct {
	Identity string
	Meta     map[string]*string
	Allocs   []keptAlloc
}

type keptAlloc struct {
	Alloc *api.Allocation
	// States and Handles are those of the tasks by name.
	States  map[string]*api.TaskState
	Handles map[string]*handle
}

// persist writes the state, so that the next agent knows what runs here. It looks at the state when it's its turn to
// write: what it saw before could be older than what another has written meanwhile.
func (c *Client) persist() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	kept := keptState{Identity: c.identity.signed, Meta: c.dynamic}
	var allocs []*alloc
	for _, a := range c.allocs {
		allocs = append(allocs, a)
	}
	c.mu.Unlock()
	for _, a := range allocs {
		k := keptAlloc{Alloc: a.spec.Load(), States: map[string]*api.TaskState{}, Handles: map[string]*handle{}}
		for _, t := range a.tasks {
			k.States[t.spec.Name] = t.snapshot()
			t.mu.Lock()
			k.Handles[t.spec.Name] = t.handle
			t.mu.Unlock()
		}
		kept.Allocs = append(kept.Allocs, k)
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	path := filepath.Join(c.stateDir, stateFile)
	if err := writeThrough(path+".new", text); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// writeThrough returns when the file is on the disk. A machine may lose its power right after the renaming, which
// would leave an empty file under the name, and an agent that can't start.
func writeThrough(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(err, file.Close())
	}
	return errors.Join(file.Sync(), file.Close())
}

// restore takes up what an earlier agent left. Nothing is started before the servers have said that it is wanted
// still; what runs is found again.
func (c *Client) restore() error {
	text, err := os.ReadFile(filepath.Join(c.stateDir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var kept keptState
	if err := json.Unmarshal(text, &kept); err != nil {
		return err
	}
	c.identity.signed = kept.Identity
	if kept.Meta != nil {
		c.dynamic = kept.Meta
	}
	for _, k := range kept.Allocs {
		spec := *k.Alloc
		spec.TaskStates = k.States
		a := newAlloc(c, &spec)
		for _, t := range a.tasks {
			t.handle = k.Handles[t.spec.Name]
			if t.state.State == taskRunning {
				t.state.State = taskPending
			}
		}
		c.allocs[a.id] = a
		if spec.DesiredStatus != "run" {
			a.update(&spec)
		}
		go func() {
			<-c.contacted
			a.run(context.Background())
		}()
	}
	return nil
}
