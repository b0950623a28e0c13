package member

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

var becauseOf = map[v1alpha1.DrainReason]string{
	v1alpha1.DrainScaleIn:     "the pool has more members than replicas",
	v1alpha1.DrainDeleted:     "its NomadNode was deleted, by itself or with its pool",
	v1alpha1.DrainVMDeleted:   "somebody deleted its VM",
	v1alpha1.DrainRollout:     "it is outdated and is replaced",
	v1alpha1.DrainJoinTimeout: "its guest didn't join Nomad within health.joinTimeout, and it is replaced",
	v1alpha1.DrainUnhealthy:   "its Nomad node didn't work for longer than health.unhealthyTimeout, and it is replaced",
	v1alpha1.DrainEvacuation:  "KubeVirt asks to free its host, and with evictionStrategy External nobody migrates it",
}

// Because returns why a member leaves, in words that complete "The member leaves: ".
func Because(reason v1alpha1.DrainReason) string {
	if words, ok := becauseOf[reason]; ok {
		return words
	}
	return string(reason)
}

func leavesBecause(r nodestate.Node) string {
	if r.Drain == nil || r.Drain.Canceled && !r.Drained {
		return Because(v1alpha1.DrainDeleted)
	}
	return Because(r.Drain.Reason)
}
