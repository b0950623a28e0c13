package cloudinit

import (
	"strings"
	"testing"
)

func TestAddressesThatMembersWouldShare(t *testing.T) {
	for name, tt := range map[string]struct{ data, problem string }{
		"DHCP": {"version: 2\nethernets:\n  e: {dhcp4: true}\n", ""},
		"none": {"", ""},
		"netplan": {"version: 2\nethernets:\n  e:\n    addresses: [10.20.0.100/24]\n",
			"ethernets.e.addresses, line 4: each member of the pool would have the address 10.20.0.100/24; leave it out"},
		"netplan, within network": {"network:\n  version: 2\n  bonds:\n    b: {addresses: ['fd00::10/64']}\n",
			"bonds.b.addresses, line 4: each member of the pool would have the address fd00::10/64"},
		"netplan, with options": {"version: 2\nethernets: {e: {addresses: [10.0.0.5/24: {label: x}]}}\n",
			"ethernets.e.addresses, line 2: each member"},
		"loopback and link-local": {"version: 2\nethernets: {e: {addresses: [127.0.0.2/8, 'fe80::1/64', 169.254.1.1/16]}}\n", ""},
		"version 1": {"version: 1\nconfig:\n- type: physical\n  name: e\n  subnets:\n  - {type: static, address: 10.0.0.5/24}\n",
			"config[0].subnets[0].address, line 6: each member of the pool would have the address 10.0.0.5/24"},
		"a bridge within the guest": {"version: 2\nbridges: {br0: {interfaces: [], addresses: [10.88.0.1/16]}}\n", ""},
		"a bridge of the network": {"version: 2\nbridges: {br0: {interfaces: [e], addresses: [10.0.0.5/24]}}\n",
			"bridges.br0.addresses, line 2: each member"},
		"version 1, of the guest's own": {"version: 1\nconfig: [{type: loopback, name: lo, subnets: [{type: static, address: 10.9.9.9/32}]}]\n",
			""},
		"version 1, DHCP":      {"version: 1\nconfig: [{type: physical, name: e, subnets: [{type: dhcp}]}]\n", ""},
		"as long as it may be": {strings.Repeat("#", 64<<10), ""},
		"longer": {strings.Repeat("#", 64<<10+1),
			"it has 65537 bytes, and at most 65536 are taken; fetch the rest in the guest"},
		"shapes that cloud-init makes of nothing": {"version: 2\nethernets: [a]\nbonds: {b: null}\nconfig: {a: b}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckNetworkData(tt.data)
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("got %v, want %q", err, tt.problem)
			}
		})
	}
}
