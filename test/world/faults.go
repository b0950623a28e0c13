package world

import (
	"context"
	"fmt"

	"github.com/nomad-harvester/nomad-harvester/test/world/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/world/process"
)

// Faulty is one part of the world to crash, hang and bring back.
type Faulty interface {
	// Kill ends it as a crash would.
	Kill() error
	// Pause makes it hang with its sockets open, until Resume.
	Pause() error
	Resume() error
	// Restart ends it in an orderly way if it runs, starts it again with the same addresses and data, and
	// waits until it serves.
	Restart(ctx context.Context) error
}

// Process returns a part of the world by the name of its program: etcd, kube-apiserver,
// kube-controller-manager, virt-api, virt-controller, harvester-lite or nomad. Any other name, and a part
// that this world was started without, is a mistake in the test and panics. The controller and the
// autoscaler are not here: starting them returns them.
func (w *World) Process(name string) Faulty {
	services := map[string]*process.Service{
		"etcd":                    w.Kube.Etcd,
		"kube-apiserver":          w.Kube.APIServer,
		"kube-controller-manager": w.Kube.ControllerManager,
		"virt-api":                w.kubevirt.API,
		"virt-controller":         w.kubevirt.Controller,
		"harvester-lite":          w.harvester,
	}
	if s := services[name]; s != nil {
		return s
	}
	if name == "nomad" && w.NomadServer != nil {
		return nomadProgram{w.NomadServer}
	}
	panic(fmt.Sprintf("this world has no program %q", name))
}

type nomadProgram struct{ server *nomad.Server }

func (n nomadProgram) Kill() error                       { return n.server.Process().Kill() }
func (n nomadProgram) Pause() error                      { return n.server.Process().Pause() }
func (n nomadProgram) Resume() error                     { return n.server.Process().Resume() }
func (n nomadProgram) Restart(ctx context.Context) error { return n.server.Restart(ctx) }
