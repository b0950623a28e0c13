package messages

import "testing"

// Which words another program has for what went wrong is chance, or its version's.
func TestOtherProgramsWordsMakeNoOtherShape(t *testing.T) {
	for name, tc := range map[string]struct{ one, other string }{
		"net/http": {
			`CreateVM: Post "https://127.0.0.1:42445/apis/kubevirt.io/v1/virtualmachines": stream error: stream ID 1507; INTERNAL_ERROR`,
			`CreateVM: Post "https://127.0.0.1:1/apis/kubevirt.io/v1/virtualmachines": dial tcp 127.0.0.1:1: connect: connection refused`,
		},
		"the operating system": {
			"the file /tmp/token with the ServiceAccount's token can't be read: no such file or directory; check that",
			"the file /tmp/token with the ServiceAccount's token can't be read: permission denied; check that",
		},
		"a library": {
			"userDataSecretRef: not valid YAML: line 2: did not find expected node content; see there",
			"userDataSecretRef: not valid YAML: line 70: mapping values are not allowed in this context; see there",
		},
		"Nomad": {
			"refuses the token: 403 ACL token not found; put the secret ID", "refuses the token: 500 ACL token expired; put the secret ID",
		},
		"Nomad, at the end": {
			"no introduction token for the guest: 403 Permission denied", "no introduction token for the guest: 500 rpc error: no path",
		},
		"Nomad, in parentheses": {
			"what the token grants (403 Permission denied), so", "what the token grants (429 Too many requests), so",
		},
		"admission": {
			`CreateVM: admission webhook "validator.harvesterhci.io" denied the request: empty cd-rom. Use SATA`,
			`CreateVM: admission webhook "validator.harvesterhci.io" denied the request: no class`,
		},
		"the API server": {
			`creating member a-5x7zk: nomadnodes.nomad.harvesterhci.io "a-5x7zk" is forbidden: unable to create new content`,
			`creating member b-2v4wz: nomadnodes.nomad.harvesterhci.io "b-2v4wz" is forbidden: no quota. See your administrator`,
		},
		"the API server, ill": {
			`an error on the server ("unknown") has prevented the request from succeeding (post virtualmachines.kubevirt.io)`,
			`an error on the server ("EOF") has prevented the request from succeeding (get nodes)`,
		},
		"a quota": {
			`no room for it: failed to create virtual machine pod: pods "virt-launcher-a-rtr2s-bfzsp" is forbidden: exceeded quota: few. Raise the quota or`,
			`no room for it: failed to create virtual machine pod: pods "virt-launcher-b-rtr2s-bfzsp" is forbidden: status unknown. Raise the quota or`,
		},
		"the scheduler": {
			"No host can take the VM: 0/3 nodes are available: 3 Insufficient memory. preemption: none. Make room, add a host",
			"No host can take the VM: 0/5 nodes are available: 1 node(s) had untolerated taint. Make room, add a host",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if one, other := Shape(tc.one), Shape(tc.other); one != other {
				t.Errorf("%q and %q", one, other)
			}
		})
	}
}

// What is ours stays, before and after another program's words, and so do numbers that are no status of Nomad's.
func TestOurOwnWordsStay(t *testing.T) {
	for message, want := range map[string]string{
		"The answer: CreateVM: Post \"https://x\": EOF":         "The answer: CreateVM: WORDS",
		"refuses the token: 403 Permission denied; put another": "refuses the token: WORDS; put another",
		`keeps it: pods "a" is forbidden: no. Raise the quota`:  "keeps it: WORDS. Raise the quota",
		"Waiting for 500 allocations; at most 512 MiB":          "Waiting for 500 allocations; at most 512 MiB",
	} {
		if got := WithoutOthers(message); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}
