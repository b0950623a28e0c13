package nomad

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

var errLinkLocal = errors.New("the address is link-local, where no Nomad is, but a cloud's metadata may be")

// addressRefused is that an address isn't dialled, with the reason, which may be shown.
type addressRefused struct{ error }

// Unwrap is for errors.Is.
func (e addressRefused) Unwrap() error { return e.error }

func isRefusedAddress(err error) bool {
	_, is := errors.AsType[addressRefused](err)
	return is
}

// control refuses addresses as they are dialled: a name may lead to any, and another one each time. Nobody's connection
// leads to a link-local one. Where a pool has chosen the address, refuse is asked, too.
func control(conn Connection, refuse func(netip.AddrPort) error) func(_, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return &net.AddrError{Err: "not an address", Addr: address}
		}
		to = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
		if to.Addr().IsLinkLocalUnicast() {
			return addressRefused{errLinkLocal}
		}
		if !conn.OfPool || refuse == nil {
			return nil
		}
		if err := refuse(to); err != nil {
			return addressRefused{err}
		}
		return nil
	}
}
