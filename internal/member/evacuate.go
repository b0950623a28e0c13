package member

import "github.com/nomad-harvester/nomad-harvester/internal/nodestate"

// evacuated is true for a member whose host is to be freed and that can't be migrated. With an evictionStrategy of
// External KubeVirt refuses the eviction and waits for somebody else to stop the VM (KubeVirt: pkg/virt-api/webhooks/
// validating-webhook/admitters/pod-eviction-admitter.go): the member is drained, removed and replaced elsewhere.
func evacuated(o nodestate.State) bool {
	return o.Instance.EvacuatedFrom != "" && o.VM.Ours
}
