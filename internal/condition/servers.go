package condition

import "strings"

// Servers names the servers that guests were given to join, and the address that Nomad's leader advertises, so that the
// reader of the message can recognize a wrong list. leader is empty while it isn't known.
func Servers(servers []string, leader string) string {
	message := "Servers to join (spec.nomad.servers): " + strings.Join(servers, ", ") + "."
	if leader != "" {
		message += " Nomad's leader calls its own address " + leader + "."
	}
	return message
}
