package uninstall

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// emitter sends the Events of the guard.
type emitter struct{ kube.EventSink }

// guardBroken emits that an admission policy of the installation, or its binding, is missing or being deleted while
// there are pools or members.
func (e emitter) guardBroken(o client.Object, message string) {
	e.Warn(o, "GuardBroken", "Guard", "%s", message)
}
