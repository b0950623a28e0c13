package guest

import (
	"errors"
	"path/filepath"
	"time"
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
	// Done is closed when the Nomad client has ended, by itself or by PowerOff; of a Computer, when that is off.
	Done() <-chan struct{}
	// PowerOff ends everything in the guest at once, tasks included, and returns when nothing is left.
	PowerOff() error
	// Pause freezes the guest, Resume thaws it: heartbeats stop, nothing else does.
	Pause() error
	Resume() error
}

// Computer is a guest that is a whole machine: when it is done it is off.
type Computer interface {
	Guest
	// PressPowerButton asks the operating system to power off. It answers before that has happened, if it ever does.
	PressPowerButton() error
	// Err tells how the machine ended: nil while it runs and when its operating system has powered it off.
	Err() error
}

// Machine is what a guest boots on.
type Machine struct {
	// Namespace and Name are those of the VirtualMachine.
	Namespace, Name string
	// Disk is the directory that plays the root disk. It's filled at the first boot, and outlives the guest
	// as a claim outlives a VirtualMachineInstance.
	Disk string
	// DiskBytes is the size of the root disk, 0 if unknown. Data are the other disks. Only a Computer has them.
	DiskBytes int64
	Data      []Disk
	// LogFile receives the output of the client, appended.
	LogFile string
	// CPUs is the number of virtual CPUs, MemoryMiB the memory the guest sees.
	CPUs, MemoryMiB int
	// UUID and Serial are those of the firmware (SMBIOS).
	UUID, Serial string
	// MACs are the addresses of the network interfaces. Only a Computer has them.
	MACs []string
	// UserData and NetworkData are those of the NoCloud data source; nil if the machine has none.
	UserData, NetworkData []byte
	// StopDelay is how long an allocation takes to stop. Only a Simulated guest knows it.
	StopDelay time.Duration
	// Hostname is what the NoCloud meta-data calls the machine.
	Hostname string
}

// Disk is a disk other than the root disk.
type Disk struct {
	// Dir is the directory that plays the disk.
	Dir   string
	Bytes int64
}

// instanceID is what KubeVirt puts into the NoCloud meta-data: the UUID of the firmware, which doesn't change when a
// VM is started again, so cloud-init doesn't run a second time. Source: KubeVirt v1.7.0,
// pkg/cloud-init/cloud-init.go.
func (m Machine) instanceID() string { return m.UUID }

// root is the directory that is "/" for the guest.
func (m Machine) root() string { return filepath.Join(m.Disk, "root") }
