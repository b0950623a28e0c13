package condition

import "strings"

// Servers says which servers guests were told to join, and what the one that leads Nomad calls itself, so that
// whoever reads of a guest that doesn't join can tell a wrong list by it. leader is empty while that isn't known.
func Servers(told []string, leader string) string {
	says := "Servers to join (spec.nomad.servers): " + strings.Join(told, ", ") + "."
	if leader != "" {
		says += " Nomad's leader calls its own address " + leader + "."
	}
	return says
}
