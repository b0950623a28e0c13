package jsonmerge_test

import (
	"encoding/json"
	"fmt"

	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge"
)

// Objects are merged key by key, and lists whose items have names item by item; null removes.
func ExampleApply() {
	base, _ := jsonmerge.Object([]byte(`{"cores":2,"disks":[{"name":"root","bus":"virtio"}],"hostname":"a"}`))
	over, _ := jsonmerge.Object(
		[]byte(`{"cores":4,"disks":[{"name":"root","bus":"scsi"},{"name":"data"}],"hostname":null}`))
	merged, _ := json.Marshal(jsonmerge.Apply(base, over))
	fmt.Println(string(merged))
	// Output: {"cores":4,"disks":[{"bus":"scsi","name":"root"},{"name":"data"}]}
}

// Two documents become one, which may be laid over a third later: its nulls are kept.
func ExampleStack() {
	template, _ := jsonmerge.Object([]byte(`{"cores":2,"hostname":"a"}`))
	pool, _ := jsonmerge.Object([]byte(`{"hostname":null,"machine":"q35"}`))
	stacked, _ := json.Marshal(jsonmerge.Stack(template, pool))
	fmt.Println(string(stacked))
	// Output: {"cores":2,"hostname":null,"machine":"q35"}
}
