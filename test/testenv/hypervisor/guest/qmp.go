package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// qmpTimeout bounds a command to qemu.
const qmpTimeout = 10 * time.Second

// PressPowerButton is the ACPI event on which the guest's operating system powers off, if it's up.
func (g *qemuGuest) PressPowerButton() error {
	// Through the process's directory: socket paths are limited to about a hundred bytes.
	ctx, cancel := context.WithTimeout(context.Background(), qmpTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/%d/cwd/%s", g.Pid(), qmpSocket))
	if err != nil {
		return fmt.Errorf("power button of %s: %w", g.Name(), err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(qmpTimeout)); err != nil {
		return err
	}
	encoder, decoder := json.NewEncoder(conn), json.NewDecoder(conn)
	for _, command := range []string{"qmp_capabilities", "system_powerdown"} {
		if err := errors.Join(encoder.Encode(map[string]string{"execute": command}), answered(decoder)); err != nil {
			return fmt.Errorf("power button of %s: %s: %w", g.Name(), command, err)
		}
	}
	return nil
}

// answered waits for the answer to a command, passing over the greeting and events. Source: qemu's
// docs/interop/qmp-spec.
func answered(decoder *json.Decoder) error {
	for {
		var message struct {
			Return *struct{}
			Error  *struct{ Desc string }
		}
		if err := decoder.Decode(&message); err != nil {
			return err
		}
		switch {
		case message.Error != nil:
			return errors.New(message.Error.Desc)
		case message.Return != nil:
			return nil
		}
	}
}
