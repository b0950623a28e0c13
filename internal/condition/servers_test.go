package condition_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

func TestServers(t *testing.T) {
	for _, c := range []struct {
		leader, want string
	}{
		{"", "Servers to join (spec.nomad.servers): a, b:4647."},
		{"10.0.0.1:4647", "Servers to join (spec.nomad.servers): a, b:4647. " +
			"Nomad's leader calls its own address 10.0.0.1:4647."},
	} {
		if got := condition.Servers([]string{"a", "b:4647"}, c.leader); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
