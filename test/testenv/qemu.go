package testenv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// emulatedGrace is Nomad's default of heartbeat_grace: an emulated machine is slow at times.
const emulatedGrace = 10 * time.Second

// prepareGuests provides what whole machines boot from, and finds out how to run them. Other guests need nothing.
func (w *Environment) prepareGuests(ctx context.Context) error {
	if w.options.Guest != hypervisor.QemuGuest {
		return nil
	}
	if w.options.NoNomad {
		return errors.New("the image of qemu guests holds the environment's Nomad, which NoNomad leaves out")
	}
	image, err := binaries.EnsureGuestImage(ctx, w.options.Progress, w.bins[binaries.Nomad])
	if err != nil {
		return err
	}
	w.qemu = guest.Qemu{Disk: image.Disk, Kernel: image.Kernel, Initrd: image.Initrd}
	err = guest.ProbeKVM(ctx, image.Kernel)
	w.qemu.KVM = err == nil
	if err != nil {
		_, _ = fmt.Fprintf(w.options.Progress, "guests are emulated, at about a minute a boot: KVM doesn't work here: %v\n",
			err)
	}
	return ctx.Err()
}
