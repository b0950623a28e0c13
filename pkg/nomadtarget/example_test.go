package nomadtarget_test

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/nomad-harvester/nomad-harvester/pkg/nomadtarget"
)

// The agent hands the plugin its target block. What is wrong with it ends the agent at its start, with the remedy.
func ExampleTarget_SetConfig() {
	target := nomadtarget.New(hclog.NewNullLogger(), "harvester")
	fmt.Println(target.SetConfig(map[string]string{
		"harvester_url": "https://harvester.example.com",
		"auth_token":    "kubeconfig-user-abcde:0123456789",
	}))
	err := target.SetConfig(map[string]string{"harvester_url": "http://harvester.example.com"})
	wrong, _, _ := strings.Cut(err.Error(), ";")
	fmt.Println(wrong)
	// Output:
	// <nil>
	// harvester_url: "http://harvester.example.com" is not an https URL
}
