package messages

import (
	"slices"
	"strings"
	"testing"
)

// code says two conditions, an Event and what may be wrong with Nomad.
var code = newCode([]Text{
	{"Ready"}, {"ScalingOut"}, {"AddressRefused"}, {"Unknown"}, {"VMStopped"}, {"Joined"},
	{"Nomad at ", " can't be asked: ", "; check that the address is right"},
	{"Members were made, and can't be seen to join: ", ""},
	{"The VM of member ", " is halted. Start it, or delete its NomadNode."},
	{"Nomad node ", " has joined its pool"},
	{"Two lines\nof one text"},
	{"in all"}, // a short one
	{"None of their VMs is left."},
})

func set(lines ...string) *Set {
	var s Set
	if err := s.Read(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		panic(err)
	}
	return &s
}

func TestUndocumented(t *testing.T) {
	documented := set("pool Ready/AddressRefused False: Nomad at http://10.0.0.1:1 can't be asked: connection refused; check that the address is right",
		"pool Event Joined: Nomad node 1758c4e1-eb1e-40ee-9176-917af4e5c215 has joined its pool",
		"pool Ready/Unknown False: Nomad at http://10.0.0.1:1 has joined its pool")
	for name, tc := range map[string]struct {
		reported string
		want     []string
	}{
		"the same":                          {documented.String(), nil},
		"another program's words":           {"pool Ready/AddressRefused False: Nomad at http://[::1]:2 can't be asked: the pipe is broken; check that the address is right", nil},
		"another condition":                 {"pool ScalingOut/AddressRefused True: Nomad at http://10.0.0.1:1 can't be asked: EOF; check that the address is right", nil},
		"a reason":                          {"pool Ready/VMStopped False: Nomad at x", []string{`"pool VMStopped"`}},
		"a reason of another kind":          {"member Ready/AddressRefused False: Nomad at x", []string{`"member AddressRefused"`}},
		"an Event is no condition":          {"pool Ready/Joined False: Nomad at x", []string{`"pool Joined"`}},
		"a text":                            {"pool Ready/AddressRefused False: Members were made, and can't be seen to join: Nomad at x", []string{`"Members were made, and can't be seen to join:"`}},
		"a message is named once":           {"pool Ready/VMStopped False: The VM of member a is halted. Start it, or delete its NomadNode.", []string{`"pool VMStopped"`}},
		"a text of two lines":               {"pool Ready/AddressRefused False: Two lines of one text", []string{`"Two lines of one text"`}},
		"the code's text in another's word": {`pool Ready/AddressRefused False: admission webhook "x" denied the request: the VM of member is halted. Two lines of one text`, nil},
		"once each": {"pool Ready/VMStopped False: Two lines of one text\npool ScalingOut/VMStopped True: Two lines of one text",
			[]string{`"pool VMStopped"`}},
		"two messages": {"pool Ready/AddressRefused False: Two lines of one text\npool ScalingOut/VMStopped True: Two lines of one text",
			[]string{`"pool VMStopped"`, `"Two lines of one text"`}},
	} {
		t.Run(name, func(t *testing.T) {
			reasons, texts := code.Undocumented(set(strings.Split(tc.reported, "\n")...), documented)
			got := append(reasons, texts...)
			for i := range got {
				got[i], _, _ = strings.Cut(got[i], ", of\n")
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUnsayable(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		want bool
	}{
		"what it says":          {"pool Ready/VMStopped False: The VM of member a-5x7zk is halted. Start it, or delete its NomadNode.", false},
		"two texts":             {"pool ScalingOut/AddressRefused True: Members were made, and can't be seen to join: Nomad at http://10.0.0.1:1 can't be asked: EOF; check that the address is right", false},
		"an Event":              {"pool Event Joined: Nomad node 1758c4e1-eb1e-40ee-9176-917af4e5c215 has joined its pool", false},
		"another program":       {`pool Ready/VMStopped False: admission webhook "x" denied the request: it has no name at all`, false},
		"a strict API server":   {`pool Ready/VMStopped False: VirtualMachine in version "v1" cannot be handled as a VirtualMachine: strict decoding error: unknown field "spec.x"`, false},
		"a reason that is gone": {"pool Ready/Halted False: The VM of member a is halted. Start it, or delete its NomadNode.", true},
		"a condition":           {"pool Works/VMStopped False: The VM of member a is halted. Start it, or delete its NomadNode.", true},
		"an Event that is gone": {"pool Event Left: Nomad node a has joined its pool", true},
		"another wording":       {"pool Ready/VMStopped False: The VM of member a is halted. Start it, or delete the NomadNode.", true},
		"another end":           {"pool Event Joined: Nomad node a has joined its pool. It takes work now", true},
		"a path":                {"pool Event Joined: Nomad node nomad.example.com/of-the-lab.org/a=b has joined its pool", false},
		"quoted":                {`pool Event Joined: Nomad node "a with a long name" has joined its pool`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := code.Unsayable(set(tc.line)).String() != ""; got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}
