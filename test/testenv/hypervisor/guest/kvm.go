package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// kvmFlags choose the processor of a machine, and of the probe.
var kvmFlags = []string{"-accel", "kvm", "-cpu", "host"}

// kvmProbeTime is many times what a processor takes to boot a kernel: even an emulated one does it in three seconds.
const kvmProbeTime = 10 * time.Second

// ProbeKVM returns nil if KVM boots a kernel here, as far as it gets without a disk: many a machine in a cloud has a
// /dev/kvm that doesn't.
func ProbeKVM(ctx context.Context, kernel string) error {
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := device.Close(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "nomad-harvester-kvm-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := process.Start(ctx, process.Spec{
		Name: "kvm probe", Path: qemuSystem, LogFile: filepath.Join(dir, "console.log"),
		Args: append([]string{
			"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "256", "-no-reboot",
			"-serial", "stdio", "-kernel", kernel, "-append", "console=ttyS0 panic=-1",
		}, kvmFlags...),
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Kill())
	case <-time.After(kvmProbeTime):
		return errors.Join(fmt.Errorf("no kernel booted within %s", kvmProbeTime), p.Kill())
	}
	if !strings.Contains(p.Tail(1000), "Kernel panic") { // for want of a disk, as its last words
		return errors.Join(fmt.Errorf("no kernel booted: %s", p.Tail(3)), p.Err())
	}
	return nil
}
