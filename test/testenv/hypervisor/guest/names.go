package guest

import "slices"

// Names stand in for the DNS of the guests' network: a Nomad server's name, as host or host:port, and the address of
// the server that it leads to.
type Names map[string]string

func (n Names) knowsAny(servers []string) bool {
	return slices.ContainsFunc(servers, func(s string) bool { _, ok := n[s]; return ok })
}

func (n Names) resolve(servers []string) []string {
	resolved := slices.Clone(servers)
	for i, s := range resolved {
		if address, ok := n[s]; ok {
			resolved[i] = address
		}
	}
	return resolved
}
