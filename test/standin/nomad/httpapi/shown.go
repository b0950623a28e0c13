package httpapi

import "github.com/hashicorp/nomad/api"

// shownAllocation has what its tasks get in the older form as well: the Nomad Autoscaler adds up Resources and fails
// without (nomad-autoscaler: plugins/builtin/apm/nomad/plugin/node.go, getNodeAllocatedResources).
func shownAllocation(a *api.Allocation) *api.Allocation {
	if a.Resources != nil || a.AllocatedResources == nil {
		return a
	}
	shown := *a
	disk := int(a.AllocatedResources.Shared.DiskMB)
	cpu, memory := 0, 0
	shown.TaskResources = map[string]*api.Resources{}
	for name, task := range a.AllocatedResources.Tasks {
		cpu, memory = cpu+int(task.Cpu.CpuShares), memory+int(task.Memory.MemoryMB)
		shown.TaskResources[name] = &api.Resources{CPU: new(int(task.Cpu.CpuShares)),
			MemoryMB: new(int(task.Memory.MemoryMB))}
	}
	shown.Resources = &api.Resources{CPU: &cpu, MemoryMB: &memory, DiskMB: &disk}
	return &shown
}
