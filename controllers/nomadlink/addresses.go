package nomadlink

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The flags with which the operator says where a Nomad that a pool names may be.
const (
	DeniedCIDRsFlag  = "nomad-denied-cidrs"
	AllowedCIDRsFlag = "nomad-allowed-cidrs"
)

// Addresses are what may not be dialled for a Nomad that a pool names, whatever its name leads to. Otherwise a pool's
// author would learn what answers where the controller can reach and he can't. Loopback, unspecified, multicast and
// broadcast addresses aren't dialled whatever they are; of link-local ones internal/nomad dials none for anybody.
type Addresses struct {
	// Denied are ranges that aren't dialled, such as those of the cluster's own Pods and Services.
	Denied []netip.Prefix
	// Allowed are ranges that are dialled all the same.
	Allowed []netip.Prefix
	// apiServer isn't dialled even if it is in Allowed; zero: it isn't known.
	apiServer netip.AddrPort
}

// ParseCIDRs reads ranges that are separated by commas or white space: the value of a flag.
func ParseCIDRs(text string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r <= ' ' }) {
		cidr, err := netip.ParsePrefix(one)
		if err != nil || cidr.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is not a range of addresses such as 10.53.0.0/16 or fd00::/8", one)
		}
		out = append(out, cidr.Masked())
	}
	return out, nil
}

// beside has the API server not be dialled either. host is as in a rest.Config. A name may lead to several addresses,
// and to others tomorrow, so these are for the operator to deny.
func (a Addresses) beside(host string) Addresses {
	if !strings.Contains(host, "://") {
		host = "https://" + host
	}
	u, err := url.Parse(host)
	if err != nil {
		return a
	}
	port := cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	if at, err := netip.ParseAddrPort(net.JoinHostPort(u.Hostname(), port)); err == nil {
		a.apiServer = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	return a
}

// refuse returns nil if the address may be dialled.
func (a Addresses) refuse(to netip.AddrPort) error {
	addr := to.Addr()
	has := func(cidr netip.Prefix) bool { return cidr.Contains(addr) }
	why := kindOf(addr)
	if i := slices.IndexFunc(a.Denied, has); why == "" && i >= 0 {
		why = fmt.Sprintf("in %s, which the controller's operator has denied to pools (--%s)", a.Denied[i], DeniedCIDRsFlag)
	}
	switch {
	case to == a.apiServer:
		return fmt.Errorf("the address %s is that of the Kubernetes API server, where no Nomad is", to)
	case why == "" || slices.ContainsFunc(a.Allowed, has):
		return nil
	}
	return fmt.Errorf("the address %s is %s; if Nomad is there, have the operator start the controller with --%s=%s", addr,
		why, AllowedCIDRsFlag, netip.PrefixFrom(addr, addr.BitLen()))
}

// hostItself are addresses that lead to the host that dials them.
var hostItself = netip.MustParsePrefix("0.0.0.0/8")

var (
	broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	// intoIPv4 are ranges that lead to addresses of IPv4. Where in the first these are depends on the network (RFC 8215),
	// and the second isn't used any more (RFC 4291).
	intoIPv4 = []netip.Prefix{netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("::/96")}
)

// kindOf is what keeps an address from being dialled by itself; empty: nothing does.
func kindOf(addr netip.Addr) string {
	switch {
	case addr.IsLoopback():
		return "a loopback address, where the controller itself is"
	case addr.IsUnspecified(), hostItself.Contains(addr):
		return "no other host's address"
	case addr.IsMulticast():
		return "a multicast address"
	case addr == broadcast:
		return "the broadcast address"
	case slices.ContainsFunc(intoIPv4, func(p netip.Prefix) bool { return p.Contains(addr) }):
		return "of a range that leads to IPv4, maybe to what is denied"
	}
	return ""
}
