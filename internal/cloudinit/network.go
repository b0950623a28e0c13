package cloudinit

import (
	"fmt"
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CheckNetworkData reports what in the user's network data cloud-init can't read, and addresses of which each member
// would have the same.
func CheckNetworkData(text string) error {
	if err := checkLength(text); err != nil {
		return err
	}
	root, err := parseYAMLMapping(text)
	if err != nil {
		return err
	}
	if inner := valueOf(root, "network"); inner != nil && isMapping(inner) {
		root = inner // Both forms are cloud-init's (cloud-init: net/network_state.py, parse_net_config).
	}
	for _, kind := range []string{"ethernets", "bonds", "bridges", "vlans", "wifis"} {
		for name, device := range entriesOf(valueOf(root, kind)) {
			if kind == "bridges" && len(itemsOf(valueOf(device, "interfaces"))) == 0 {
				continue // it is within the guest
			}
			for _, a := range itemsOf(valueOf(device, "addresses")) {
				if err := sharedAddress(kind+"."+name.Value+".addresses", a); err != nil {
					return err
				}
			}
		}
	}
	for i, device := range itemsOf(valueOf(root, "config")) {
		if textOf(valueOf(device, "type")) == "loopback" {
			continue
		}
		for j, subnet := range itemsOf(valueOf(device, "subnets")) {
			place := fmt.Sprintf("config[%d].subnets[%d].address", i, j)
			if err := sharedAddress(place, valueOf(subnet, "address")); err != nil {
				return err
			}
		}
	}
	return nil
}

// sharedAddress reports an address that two guests of one network can't both have. Loopback and link-local ones they
// can.
func sharedAddress(place string, n *yaml.Node) error {
	if n != nil && isMapping(n) && len(n.Content) > 0 { // netplan: an address with options
		n = n.Content[0]
	}
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil
	}
	host, _, _ := strings.Cut(n.Value, "/")
	if addr, err := netip.ParseAddr(host); err != nil || addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		return nil //nolint:nilerr // what is no address is left to cloud-init
	}
	return fmt.Errorf("%s, line %d: each member of the pool would have the address %s; leave it out and let the "+
		"guests ask by DHCP, where an address can be reserved for a MAC address", place, n.Line, n.Value)
}
