package hypervisor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// failing is a Nomad client that ends as a test wants it to.
type failing struct {
	guest.Guest
	done chan struct{}
	err  error
}

func (c *failing) end(err error) {
	c.err = err
	close(c.done)
}

func (c *failing) NodeID() string        { return "" }
func (c *failing) Done() <-chan struct{} { return c.done }
func (c *failing) Err() error            { return c.err }
func (c *failing) PowerOff() error {
	select {
	case <-c.done:
	default:
		c.end(errors.New("killed"))
	}
	return nil
}

type clients struct{ started []*failing }

func (l *clients) Boot(context.Context, guest.Machine) (guest.Guest, error) {
	c := &failing{done: make(chan struct{})}
	l.started = append(l.started, c)
	return c, nil
}

// A client that fails is started again after a while, and one that ends otherwise isn't.
func TestClientThatFailsIsStartedAgain(t *testing.T) {
	cases := []struct {
		name string
		end  func(*domain, *failing) error
		want int
	}{
		{"it fails", func(_ *domain, c *failing) error { c.end(errors.New("the port is taken")); return nil }, 2},
		{"it comes to its end", func(_ *domain, c *failing) error { c.end(nil); return nil }, 1},
		{"it is killed", func(d *domain, _ *failing) error { return d.killClient() }, 1},
		{"the guest is powered off", func(d *domain, _ *failing) error { return d.powerOff(false) }, 1},
		{"the guest is powered off meanwhile", func(d *domain, c *failing) error {
			c.end(errors.New("the port is taken"))
			time.Sleep(clientRestart / 2)
			return d.powerOff(false)
		}, 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d := &domain{trace: &trace{}, cancelBoot: cancel, booted: make(chan struct{})}
				l := &clients{}
				d.boot(ctx, 0, &faults{}, l)
				if err := tc.end(d, l.started[0]); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * clientRestart)
				synctest.Wait()
				if len(l.started) != tc.want {
					t.Errorf("%d clients were started, not %d", len(l.started), tc.want)
				}
				if err := d.powerOff(false); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
