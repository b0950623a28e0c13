package messages

import (
	"strings"
	"testing"
)

func TestShapesAreTheSameOrNot(t *testing.T) {
	for name, tc := range map[string]struct {
		one, other string
		same       bool
	}{
		"times": {"until 2026-11-29T23:56:54Z (health.joinTimeout)", "until 2026-11-30T00:01:03Z (health.joinTimeout)", true},
		"members": {"Secret both-4656c-81192c60-cloudinit is in the way of both-4656c",
			"Secret going-zqh5k-fac5d58b-cloudinit is in the way of going-zqh5k", true},
		"node IDs": {"Nomad node 2820a00a-d484-43cc-8e8d-6d1040d122ed is ready",
			"Nomad node 1758c4e1-eb1e-40ee-9176-917af4e5c215 is ready", true},
		"addresses": {"Nomad at http://127.0.0.1:43803 can't be asked", "Nomad at http://127.0.0.1:22885 can't be asked", true},
		"numbers":   {"didn't join Nomad within 5s", "didn't join Nomad within 12s", true},
		"how many allocations": {"Waiting for a-batch.sleep[2] (f677c5ee), running, placed 2026-11-29T23:50:03Z.",
			"Waiting for b.sleep[0] (2f9aa544), running, placed 2026-11-29T23:50:03Z; b.sleep[1] (2f9aa545), running, placed 2026-11-29T23:50:04Z.",
			true},
		"running and pending": {"Waiting for a.b[2] (f677c5ee), running, placed 2026-11-29T23:50:03Z.",
			"Waiting for a.b[2] (f677c5ee), pending, placed 2026-11-29T23:50:03Z.", false},
		"how many members":     {"These VMs are kept: probe-6zrwc, probe-nsxd8.", "These VMs are kept: a-6zrwc, a-fwdnr, a-nsxd8.", true},
		"causes":               {"can't be asked: EOF; check", "can't be asked: connection refused; check", false},
		"words that are short": {"the VM is gone", "the VM is halted", false},
		"fields": {`spec.template.disks[0].image: "a" doesn't exist`,
			`spec.template.networks[0].image: "a" doesn't exist`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if one, other := Shape(tc.one), Shape(tc.other); (one == other) != tc.same {
				t.Errorf("%q and %q", one, other)
			}
		})
	}
}

// The set doesn't depend on what came first, and is read as it was written.
func TestSetOfTheSameIsTheSame(t *testing.T) {
	lines := []string{"within 5s", "within 9s", "of another shape\nin two lines"}
	var there, back, again Set
	for i := range lines {
		there.Add("pool Event A", lines[i])
		back.Add("pool Event A", lines[len(lines)-1-i])
	}
	const want = "pool Event A: of another shape in two lines\npool Event A: within 5s\n"
	if there.String() != want || back.String() != want {
		t.Errorf("got %q and %q", there.String(), back.String())
	}
	if err := again.Read(strings.NewReader(want)); err != nil || again.String() != want {
		t.Errorf("read %q (%v)", again.String(), err)
	}
	again.Add("pool Event B", "within 5s")
	if got := strings.Count(again.String(), "\n"); got != 3 {
		t.Errorf("%d lines, want that of another speaker as well", got)
	}
}
