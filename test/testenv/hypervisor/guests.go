package hypervisor

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// GuestInfo is a guest at one moment.
type GuestInfo struct {
	VM types.NamespacedName
	// Instance is the UID of the VirtualMachineInstance.
	Instance types.UID
	Host     string
	// NodeID is the Nomad node ID, empty without a Nomad client.
	NodeID string
	// Running is false for a guest that has ended while its instance is still there.
	Running bool
	// Pid is a process whose group holds everything of the guest, 0 if it has none.
	Pid int
	// LogFile is that of the Nomad client.
	LogFile string
}

// Guests returns all guests, by VM.
func (h *Hypervisor) Guests() []GuestInfo {
	var guests []GuestInfo
	for _, d := range h.domains.all() {
		info := GuestInfo{VM: d.vm, Instance: d.uid, Host: d.hostName(), Running: !d.isOff(), LogFile: d.machine.LogFile}
		if client, err := d.client(); err == nil {
			info.NodeID, info.Pid = client.NodeID(), client.Pid()
		}
		guests = append(guests, info)
	}
	slices.SortFunc(guests, func(a, b GuestInfo) int { return strings.Compare(a.VM.String(), b.VM.String()) })
	return guests
}
