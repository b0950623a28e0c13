// Package guest boots the operating systems of the test world's virtual machines.
//
// A guest runs what its cloud-config asks for, in a directory that plays its root disk: with the kind Agent a
// real Nomad client in namespaces of its own, with Simulated a client that only speaks Nomad's RPC. Either
// way servers, region, datacenter, node pool, class, meta, node ID and introduction token are what was
// rendered into the cloud-config, so that a mistake there shows.
package guest

import (
	"errors"
	"path/filepath"
)

// ErrNoClient is returned by Boot for a guest that came up and runs no Nomad client, because its user data
// doesn't ask for one, or asks for something that can't work. The wrapping error tells which.
var ErrNoClient = errors.New("guest runs no Nomad client")

// Guest is a running guest with a Nomad client in it.
type Guest interface {
	// NodeID is the Nomad node ID in the guest's state directory, empty while there is none.
	NodeID() string
	// Pid is a process whose group holds everything of the guest, 0 if it has no process of its own.
	Pid() int
	// Done is closed when the Nomad client has ended, by itself or by PowerOff.
	Done() <-chan struct{}
	// PowerOff ends everything in the guest at once, tasks included, and returns when nothing is left.
	PowerOff() error
	// Pause freezes the guest, Resume thaws it: heartbeats stop, nothing else does.
	Pause() error
	Resume() error
}

// Machine is what a guest boots on.
type Machine struct {
	// Namespace and Name are those of the VirtualMachine.
	Namespace, Name string
	// Disk is the directory that plays the root disk. It's filled at the first boot, and outlives the guest
	// as a claim outlives a VirtualMachineInstance.
	Disk string
	// LogFile receives the output of the client, appended.
	LogFile string
	// CPUs is the number of virtual CPUs, MemoryMiB the memory the guest sees.
	CPUs, MemoryMiB int
	// UserData is that of the NoCloud data source; nil if the machine has none.
	UserData []byte
}

// instanceID is what KubeVirt puts into the NoCloud meta-data: it doesn't change when a VM is started again,
// so cloud-init doesn't run a second time. Source: KubeVirt v1.7.0, pkg/cloud-init/cloud-init.go.
func (m Machine) instanceID() string { return m.Name + "." + m.Namespace }

// root is the directory that is "/" for the guest.
func (m Machine) root() string { return filepath.Join(m.Disk, "root") }
