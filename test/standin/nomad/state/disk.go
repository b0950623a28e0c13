package state

import "github.com/hashicorp/nomad/api"

// GroupOf is the group of its job that an allocation is of, nil without one.
func GroupOf(a *api.Allocation) *api.TaskGroup {
	if a.Job == nil {
		return nil
	}
	for _, g := range a.Job.TaskGroups {
		if Value(g.Name) == a.TaskGroup {
			return g
		}
	}
	return nil
}

// DiskMigrates reports if the data of an allocation goes to the next one on another node, as its group has it with
// ephemeral_disk { migrate = true }.
func DiskMigrates(a *api.Allocation) bool {
	g := GroupOf(a)
	return g != nil && g.EphemeralDisk != nil && Value(g.EphemeralDisk.Migrate)
}
