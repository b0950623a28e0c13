package hypervisor

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// EventKind is a step in the life of a guest.
type EventKind string

const (
	// GuestStarted says that the domain runs (its instance is Running); services in the guest start Options.Boot later.
	GuestStarted EventKind = "GuestStarted"
	// ClientStarted says that the guest's Nomad client was started.
	ClientStarted EventKind = "ClientStarted"
	// ClientAbsent says that the guest booted and runs no Nomad client; Detail tells why.
	ClientAbsent EventKind = "ClientAbsent"
	// ClientEnded says that the Nomad client ended while the guest goes on.
	ClientEnded EventKind = "ClientEnded"
	// GuestStopping says that the guest was asked to power off.
	GuestStopping EventKind = "GuestStopping"
	// GuestStopped says that nothing of the guest is left; Detail tells if it crashed.
	GuestStopped EventKind = "GuestStopped"
	// GuestMigrated says that the guest was migrated to another host, live; Detail names it.
	GuestMigrated EventKind = "GuestMigrated"
	// DiskRemoved says that the disk of a guest was removed with its claim.
	DiskRemoved EventKind = "DiskRemoved"
)

// Event is something that happened to a guest.
type Event struct {
	Time time.Time
	Kind EventKind
	// VM is the VirtualMachine; in a DiskRemoved event, the claim.
	VM types.NamespacedName
	// Instance is the UID of the VirtualMachineInstance, empty in a DiskRemoved event.
	Instance types.UID
	// NodeID is the Nomad node ID, empty as long as the guest has none.
	NodeID string
	Detail string
}

type trace struct {
	mu     sync.Mutex
	events []Event
}

func (t *trace) add(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.Time = time.Now()
	t.events = append(t.events, e)
}

// Trace returns everything that happened so far, in order.
func (h *Hypervisor) Trace() []Event {
	h.trace.mu.Lock()
	defer h.trace.mu.Unlock()
	return slices.Clone(h.trace.events)
}
