package member

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// stands returns a condition as it was last written, if nothing new can be known yet because this process has only
// just started: a restart of the controller mustn't show, nor write, a doubt that is over in a moment. The word that
// was last written is shown again on purpose, whatever it is; if it is still about the same is told by the phase that
// was written with it.
func stands(o nodestate.State, kind string) (metav1.Condition, bool) {
	was, ok := o.Node.Said[kind]
	return was, ok && o.Nomad.NotAsked && !o.Nomad.Known
}
