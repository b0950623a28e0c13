package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// QemuHost is this machine's loopback interface as a guest of Qemu sees it: qemu's user-mode network leads
// connections to this address there.
const QemuHost = "10.0.2.2"

// Qemu boots whole machines: a kernel, systemd, cloud-init and Nomad of their own. What differs from KubeVirt's:
// there is no boot loader, all disks are virtio, and every interface is on a user-mode network of its own, with DHCP,
// on which all guests have the same address.
type Qemu struct {
	// Disk is the raw image that root disks are copies of, as written; Kernel and Initrd are what it is booted with.
	Disk, Kernel, Initrd string
	// KVM runs guests on this machine's processor. Without it they are emulated, at about a tenth of the speed.
	KVM bool
}

// Names of the files on the directory that plays a disk, or holds a machine.
const (
	rootImage = "root.qcow2"
	dataImage = "data.qcow2"
	seedImage = "seed.iso"
	qmpSocket = "qmp.sock"
)

// Boot starts the machine; what its cloud-init makes of the user data is its own affair.
func (q Qemu) Boot(ctx context.Context, m Machine) (Guest, error) {
	drives, err := q.drives(ctx, m)
	if err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, process.Spec{
		Name:    "guest " + m.Namespace + "/" + m.Name,
		Path:    qemuSystem,
		Args:    append(q.args(m), drives...),
		Dir:     m.Disk,
		LogFile: m.LogFile,
	})
	if err != nil {
		return nil, err
	}
	return &qemuGuest{Process: p, nodeID: seededNodeID(m.UserData)}, nil
}

const qemuSystem = "qemu-system-x86_64"

// args are those of a machine without disks. The console goes where qemu's own complaints go.
func (q Qemu) args(m Machine) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35",
		"-smp", strconv.Itoa(m.CPUs), "-m", strconv.Itoa(m.MemoryMiB),
		"-serial", "stdio", "-qmp", "unix:" + qmpSocket + ",server=on,wait=off",
		"-device", "virtio-rng-pci",
		"-kernel", q.Kernel, "-initrd", q.Initrd,
		"-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off nokaslr",
	}
	if q.KVM {
		args = append(args, kvmFlags...)
	} else {
		args = append(args, "-accel", "tcg,thread=multi,tb-size=128", "-cpu", "max") // the default buffer is of 1 GiB
	}
	if m.UUID != "" {
		args = append(args, "-uuid", m.UUID)
	}
	if m.Serial != "" {
		args = append(args, "-smbios", "type=1,serial="+escape(m.Serial))
	}
	for i, mac := range m.MACs {
		args = append(args,
			"-netdev", fmt.Sprintf("user,id=net%d,ipv6=off", i),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=net%d,mac=%s,romfile=", i, mac))
	}
	return args
}

// drives makes the disks that aren't there yet, and the NoCloud volume anew.
func (q Qemu) drives(ctx context.Context, m Machine) ([]string, error) {
	if err := createImage(ctx, filepath.Join(m.Disk, rootImage), m.DiskBytes, "-b", q.Disk, "-F", "raw"); err != nil {
		return nil, err
	}
	args := drive(filepath.Join(m.Disk, rootImage), "qcow2", "cache=unsafe")
	for _, d := range m.Data {
		image := filepath.Join(d.Dir, dataImage)
		if err := createImage(ctx, image, d.Bytes); err != nil {
			return nil, err
		}
		args = append(args, drive(image, "qcow2", "cache=unsafe")...)
	}
	if m.UserData == nil {
		return args, nil
	}
	seed, err := writeSeed(ctx, m)
	if err != nil {
		return nil, err
	}
	return append(args, drive(seed, "raw", "readonly=on")...), nil
}

func drive(file, format, option string) []string {
	return []string{"-drive", fmt.Sprintf("if=virtio,format=%s,file=%s,%s", format, escape(file), option)}
}

// escape keeps commas from ending a value.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }

// createImage makes a disk, if it isn't there, that appears complete or not at all. Zero bytes mean as large as what
// it is a copy of.
func createImage(ctx context.Context, file string, bytes int64, flags ...string) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	unfinished := file + ".unfinished"
	args := append([]string{"create", "-q", "-f", "qcow2"}, flags...)
	args = append(args, unfinished)
	if bytes > 0 {
		args = append(args, strconv.FormatInt(bytes, 10))
	}
	if err := run(ctx, "qemu-img", args...); err != nil {
		return err
	}
	return os.Rename(unfinished, file)
}

func run(ctx context.Context, program string, args ...string) error {
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

// seededNodeID is the Nomad node ID that the user data writes, empty if none: the guest's disk can't be read from here.
func seededNodeID(userData []byte) string {
	config, err := cloudinit.Parse(userData)
	if err != nil {
		return ""
	}
	for _, file := range config.Files {
		if filepath.Base(file.Path) == clientIDFile {
			return file.Content
		}
	}
	return ""
}

// qemuGuest is a whole machine: its process.
type qemuGuest struct {
	*process.Process
	nodeID string
}

// NodeID is the one that was seeded.
func (g *qemuGuest) NodeID() string { return g.nodeID }

// PowerOff pulls the plug.
func (g *qemuGuest) PowerOff() error {
	select {
	case <-g.Done(): // its process ID may be somebody else's by now
		return nil
	default:
		return g.Kill()
	}
}
