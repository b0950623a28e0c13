package hypervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// domain is the guest of one VirtualMachineInstance, as libvirt calls it.
type domain struct {
	uid       types.UID
	vm        types.NamespacedName
	machine   guest.Machine
	ephemeral bool               // the disk goes with the guest
	ended     func(crashed bool) // called when the machine powers off by itself
	grace     time.Duration      // of the instance's spec
	trace     *trace

	cancelBoot context.CancelFunc
	booted     chan struct{} // closed when boot has ended, one way or the other
	launching  sync.Mutex    // held while a Nomad client is started again

	mu       sync.Mutex
	host     string
	left     map[string]bool // pods that the guest was migrated away from
	guest    guest.Guest     // nil without a Nomad client
	stopping time.Time       // zero until asked to power off
	cut      bool            // we are ending the guest
	killed   bool            // we are ending the client, and its service manager isn't to start it again
	off      bool
	failed   bool
}

// boot takes the guest to where its services run. It returns when that is done, failed or cancelled.
func (d *domain) boot(ctx context.Context, delay time.Duration, faults *faults, l launcher) {
	defer close(d.booted)
	select {
	case <-ctx.Done():
		return
	case <-time.After(delay):
	}
	if faults.neverJoins(d.vm) {
		d.report(ClientAbsent, "fault: never joins")
		return
	}
	g := d.launch(ctx, l)
	if c, ok := g.(guest.Computer); ok {
		go d.watchPower(c)
	} else if g != nil {
		go d.watchClient(ctx, l, g)
	}
}

// launch starts what the guest's disk has it run, nil if that fails.
func (d *domain) launch(ctx context.Context, l launcher) guest.Guest {
	g, err := l.Boot(ctx, d.machine)
	if err != nil {
		d.report(ClientAbsent, err.Error())
		return nil
	}
	d.mu.Lock()
	d.guest = g
	d.mu.Unlock()
	if _, ok := g.(guest.Computer); !ok {
		d.report(ClientStarted, "")
	}
	return g
}

// clientRestart is RestartSec of the client's unit.
const clientRestart = 5 * time.Second

// watchClient starts the client again after it has failed, as systemd does with Restart=on-failure: one that finds its
// port taken is there a moment later.
func (d *domain) watchClient(ctx context.Context, l launcher, g guest.Guest) {
	for g != nil {
		<-g.Done()
		if d.isOff() || ctx.Err() != nil {
			return
		}
		d.report(ClientEnded, "see "+d.machine.LogFile)
		if p, ok := g.(interface{ Err() error }); !ok || p.Err() == nil || d.isKilled() {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(clientRestart):
		}
		g = d.launchAgain(ctx, l)
	}
}

// launchAgain doesn't, once the guest is being powered off.
func (d *domain) launchAgain(ctx context.Context, l launcher) guest.Guest {
	d.launching.Lock()
	defer d.launching.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	return d.launch(ctx, l)
}

// killClient ends the client for good.
func (d *domain) killClient() error {
	d.mu.Lock()
	d.killed = true
	d.mu.Unlock()
	g, err := d.client()
	if err != nil {
		return err
	}
	return g.PowerOff()
}

func (d *domain) isKilled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.killed
}

// watchPower passes on that the operating system has powered off, or that the machine has crashed.
func (d *domain) watchPower(c guest.Computer) {
	<-c.Done()
	d.mu.Lock()
	cut := d.cut
	d.mu.Unlock()
	if !cut {
		d.ended(c.Err() != nil)
	}
}

// pressPowerButton returns what is closed when the guest is off, nil if it has no power button.
func (d *domain) pressPowerButton() (<-chan struct{}, error) {
	d.mu.Lock()
	c, ok := d.guest.(guest.Computer)
	d.mu.Unlock()
	if !ok {
		return nil, nil
	}
	return c.Done(), c.PressPowerButton()
}

// powerOff ends everything in the guest at once and returns when it's gone. crashed makes it a failure.
func (d *domain) powerOff(crashed bool) error {
	d.cancelBoot()
	<-d.booted
	d.launching.Lock()
	defer d.launching.Unlock()
	d.mu.Lock()
	g, off := d.guest, d.off
	d.cut = true
	d.mu.Unlock()
	if off {
		return nil
	}
	var errs []error
	if g != nil {
		errs = append(errs, g.PowerOff())
	}
	if d.ephemeral {
		errs = append(errs, os.RemoveAll(d.machine.Disk))
	}
	d.mu.Lock()
	first := !d.off
	d.off, d.failed = true, d.failed || crashed
	d.mu.Unlock()
	if first {
		detail := ""
		if crashed {
			detail = "crashed"
		}
		d.report(GuestStopped, detail)
	}
	return errors.Join(errs...)
}

// beginShutdown tells whether this was the first request.
func (d *domain) beginShutdown(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off || !d.stopping.IsZero() {
		return false
	}
	d.stopping = now
	return true
}

func (d *domain) isOff() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

func (d *domain) hasFailed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// client is the guest's Nomad client, or an error if it has none.
func (d *domain) client() (guest.Guest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.guest == nil || d.off {
		return nil, fmt.Errorf("guest %s runs no Nomad client", d.vm)
	}
	return d.guest, nil
}

func (d *domain) report(kind EventKind, detail string) {
	d.mu.Lock()
	g := d.guest // also of a guest that is off
	d.mu.Unlock()
	id := ""
	if g != nil {
		id = g.NodeID()
	}
	d.trace.add(Event{Kind: kind, VM: d.vm, Instance: d.uid, NodeID: id, Detail: detail})
}

// domains are the guests by the UID of their instance.
type domains struct {
	mu    sync.Mutex
	byUID map[types.UID]*domain
	ips   int
	// changes tells the controllers of guests that ended.
	changes chan event.GenericEvent
}

func newDomains() *domains {
	return &domains{byUID: map[types.UID]*domain{}, changes: make(chan event.GenericEvent)}
}

func (s *domains) get(uid types.UID) *domain {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byUID[uid]
}

// add tells whether the domain is new.
func (s *domains) add(d *domain) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUID[d.uid] != nil {
		return false
	}
	s.byUID[d.uid] = d
	return true
}

func (s *domains) remove(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byUID, uid)
}

func (s *domains) all() []*domain {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*domain
	for _, d := range s.byUID {
		all = append(all, d)
	}
	return all
}

// of returns the domains of a VM: more than one only while its old instance is being cleared away.
func (s *domains) of(vm types.NamespacedName) []*domain {
	var found []*domain
	for _, d := range s.all() {
		if d.vm == vm {
			found = append(found, d)
		}
	}
	return found
}

// uses tells whether a guest runs with the disk.
func (s *domains) uses(disk string) bool {
	for _, d := range s.all() {
		used := d.machine.Disk == disk ||
			slices.ContainsFunc(d.machine.Data, func(other guest.Disk) bool { return other.Dir == disk })
		if used && !d.isOff() {
			return true
		}
	}
	return false
}

// nextIP hands out addresses of a pod network that nothing is ever sent to.
func (s *domains) nextIP() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ips++
	return fmt.Sprintf("10.52.%d.%d", s.ips/250%256, s.ips%250+2)
}

// diskOf is the directory for a claim, or for a guest without one.
func (h *Hypervisor) diskOf(namespace, name string) string {
	return filepath.Join(h.options.diskDir(), namespace, name)
}
