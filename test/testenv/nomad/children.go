package nomad

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// childID tells a process from a later one with the same process ID.
type childID struct {
	parent  int
	started string // in clock ticks since boot, as /proc has it
}

// recordChildren remembers the children of the agent, so that they can be ended by process ID even when
// the agent died without ending them.
func (a *Autoscaler) recordChildren() {
	agent := a.Process()
	if agent == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if id, err := readChild(pid); err == nil && id.parent == agent.Pid() {
			a.children[pid] = id
		}
	}
}

// readChild reads parent and start time: fields 4 and 22 of /proc/<pid>/stat. A zombie counts as gone.
func readChild(pid int) (childID, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return childID{}, err
	}
	fields := process.StatFields(stat)
	const state, parent, started = 0, 1, 19 // counted from the third, the first here
	if len(fields) <= started || fields[state] == "Z" {
		return childID{}, os.ErrNotExist
	}
	ppid, err := strconv.Atoi(fields[parent])
	return childID{parent: ppid, started: fields[started]}, err
}

// killOne ends one process, not its group; one that is gone already is fine.
func killOne(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	return nil
}
