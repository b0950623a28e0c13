package nomadtarget

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Keys of a policy's target block. All others belong to the agent or to nomad-apm and are ignored.
const (
	keyPool      = "node_pool_name"
	keyNamespace = "namespace"

	// Keys that nomad-apm reads (Nomad Autoscaler: sdk/target.go).
	keyNodeClass  = "node_class"
	keyNodePool   = "node_pool"
	keyDatacenter = "datacenter"

	// keyGRPCTimeout is set by the agent: how long it waits for Status (Nomad Autoscaler: plugins/shared).
	keyGRPCTimeout = "_nomad_autoscaler_grpc_timeout"
)

// poolKeys are the keys that may name the pool of a policy. The first that is set counts.
var poolKeys = []string{keyPool, "name", "node_group_name"}

// defaultNamespace is used when a policy has no namespace key. It is the one that Harvester's UI offers for VMs. The
// namespace of a kubeconfig's context isn't used, so that a policy means the same pool wherever the agent runs.
const defaultNamespace = "default"

// poolOf reads which pool a policy scales. An error means that the policy has to be edited.
func poolOf(config map[string]string) (types.NamespacedName, error) {
	ref := types.NamespacedName{Namespace: cmp.Or(strings.TrimSpace(config[keyNamespace]), defaultNamespace)}
	key := keyPool
	for _, k := range poolKeys {
		if v := strings.TrimSpace(config[k]); v != "" {
			key, ref.Name = k, v
			break
		}
	}
	if ref.Name == "" {
		return ref, fmt.Errorf(
			"%s: missing in the policy's target block; set it to the name of a NomadNodePool (kubectl get nnp -A)", keyPool)
	}
	if errs := validation.IsDNS1123Subdomain(ref.Name); len(errs) > 0 {
		return ref, fmt.Errorf("%s: %q can't be the name of a NomadNodePool: %s; kubectl get nnp -A lists them", key,
			ref.Name, errs[0])
	}
	if errs := validation.IsDNS1123Label(ref.Namespace); len(errs) > 0 {
		return ref, fmt.Errorf("%s: %q can't be a Kubernetes namespace: %s; use the one of the NomadNodePool", keyNamespace,
			ref.Namespace, errs[0])
	}
	return ref, nil
}

// callTimeout is the longest that a call may take; Kubernetes normally answers within milliseconds.
const callTimeout = 5 * time.Second

// statusTimeout is how long a Status may take: it has to answer before the agent stops waiting, because the agent then
// reports an error of its own.
func statusTimeout(config map[string]string) time.Duration {
	agent, err := time.ParseDuration(config[keyGRPCTimeout])
	if err != nil || agent <= 0 {
		return callTimeout
	}
	return min(agent-agent/5, callTimeout) // agent*8 would overflow for 37 years
}
