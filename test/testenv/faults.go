package testenv

import (
	"context"
	"fmt"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Faulty is one part of the environment to crash, hang and bring back.
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

// Process returns a part of the environment by the name of its program: etcd, kube-apiserver,
// kube-controller-manager, virt-api, virt-controller, harvester-lite or nomad. Any other name, and a part
// that this environment was started without, is a mistake in the test and panics. The controller and the
// autoscaler are not here: starting them returns them.
func (w *Environment) Process(name string) Faulty {
	if s := w.services()[name]; s != nil {
		return s
	}
	if name == "nomad" && w.NomadServer != nil {
		return nomadProgram{w.NomadServer}
	}
	panic(fmt.Sprintf("this environment has no program %q", name))
}

// services are the programs of a platform that has started, by their names.
func (w *Environment) services() map[string]*process.Service {
	services := map[string]*process.Service{
		"etcd":                    w.Kube.Etcd,
		"kube-apiserver":          w.Kube.APIServer,
		"kube-controller-manager": w.Kube.ControllerManager,
	}
	if w.options.KindsOnly {
		return services
	}
	services["virt-api"], services["virt-controller"] = w.kubevirt.API, w.kubevirt.Controller
	services["harvester-lite"] = w.harvester
	return services
}

// watch reports the programs of the platform that end by themselves, once each, until the context ends: what is tested
// then proves nothing, and tests that wait for them say little of why.
func (w *Environment) watch(ctx context.Context) {
	seen := map[*process.Process]bool{}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, s := range w.services() {
			p := s.Process()
			if seen[p] || !p.Died() {
				continue
			}
			seen[p] = true
			w.died.Store(true)
			_, _ = fmt.Fprintf(w.options.Progress, "%s has ended by itself (%v); its log ends with:\n%s\n", p.Name(), p.Err(),
				p.Tail(deathLines))
		}
	}
}

// deathLines is how much of the log of a program that ended by itself is shown.
const deathLines = 25

type nomadProgram struct{ server *nomad.Server }

func (n nomadProgram) Kill() error                       { return n.server.Process().Kill() }
func (n nomadProgram) Pause() error                      { return n.server.Process().Pause() }
func (n nomadProgram) Resume() error                     { return n.server.Process().Resume() }
func (n nomadProgram) Restart(ctx context.Context) error { return n.server.Restart(ctx) }
