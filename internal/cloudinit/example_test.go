package cloudinit_test

import (
	"fmt"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
)

// User data that would keep a member from joining is refused, by its place and without repeating it.
func ExampleCheckUserData() {
	fmt.Println(cloudinit.CheckUserData(nil, "#cloud-config\nruncmd: [modprobe nbd]\n", nil))
	err := cloudinit.CheckUserData(nil, "#cloud-config\nruncmd:\n- {modprobe: nbd}\n", nil)
	where, _, _ := strings.Cut(err.Error(), ",")
	fmt.Println("refused:", where)
	// Output:
	// <nil>
	// refused: runcmd[0]
}

// The Secret of a member: the user's data and what Nomad needs, in one document.
func ExampleSecret() {
	m := blueprinttest.Member()
	m.Template.CloudInit.UserData = "#cloud-config\ntimezone: Europe/Berlin\n"
	secret, err := cloudinit.Secret(m, blueprint.Facts{
		KeyPairs: map[string]blueprint.KeyPair{blueprinttest.KeyPair: {PublicKey: "ssh-ed25519 AAAAC3Nza ops"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := string(secret.Data[cloudinit.UserDataKey])
	for _, want := range []string{"timezone: Europe/Berlin", "/etc/nomad.d/nomad.hcl", blueprinttest.NodeID} {
		fmt.Println(strings.Contains(text, want))
	}
	// Output:
	// true
	// true
	// true
}
