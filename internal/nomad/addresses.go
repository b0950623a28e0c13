package nomad

import (
	"errors"
	"net"
	"net/netip"
	"slices"
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

// What has an address of IPv4 in its last four bytes: that of a NAT64, by RFC 6052 and by RFC 8215, and two old forms.
var endsInIPv4 = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96")}

// sixToFour has it after its first two bytes.
var sixToFour = netip.MustParsePrefix("2002::/16")

// embedded returns the address of IPv4 to which one of IPv6 leads, if it has one. Those that begin with a 0 are none:
// ::1 is another.
func embedded(addr netip.Addr) (_ netip.Addr, is bool) {
	bytes := addr.As16()
	var at int
	switch {
	case sixToFour.Contains(addr):
		at = 2
	case slices.ContainsFunc(endsInIPv4, func(p netip.Prefix) bool { return p.Contains(addr) }):
		at = 12
	default:
		return netip.Addr{}, false
	}
	to := netip.AddrFrom4([4]byte(bytes[at : at+4]))
	return to, bytes[at] != 0
}

// control refuses addresses as they are dialled: a name may lead to any, and another one each time. Nobody's connection
// leads to a link-local one. Where a pool has chosen the address, refuse is asked, too. The same holds for one that is
// embedded in it.
func control(conn Connection, refuse func(netip.AddrPort) error) func(_, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return &net.AddrError{Err: "not an address", Addr: address}
		}
		tos := []netip.Addr{to.Addr().Unmap().WithZone("")}
		if in, is := embedded(tos[0]); is {
			tos = append(tos, in)
		}
		for _, addr := range tos {
			if addr.IsLinkLocalUnicast() {
				return addressRefused{errLinkLocal}
			}
			if !conn.OfPool || refuse == nil {
				continue
			}
			if err := refuse(netip.AddrPortFrom(addr, to.Port())); err != nil {
				return addressRefused{err}
			}
		}
		return nil
	}
}
