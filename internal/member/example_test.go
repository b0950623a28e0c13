package member_test

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// working is a member whose guest has joined Nomad.
func working(noon time.Time) nodestate.State {
	return nodestate.State{
		Now: noon,
		Node: nodestate.Node{Name: "batch-1", Created: noon.Add(-time.Hour), VMMade: true,
			Joined: true},
		VM:       nodestate.VM{Exists: true, Owned: true, Status: "Running"},
		Instance: nodestate.Instance{Exists: true, Running: true},
		Nomad:    nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true},
	}
}

// A member that has a drain request is cordoned before it is drained. While Nomad can't be asked, nothing is done.
func ExampleNext() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := working(noon)
	fmt.Println(member.Next(s).Step)

	s.Node.Drain = &v1alpha1.DrainRequest{ID: "drain-1", Reason: v1alpha1.DrainScaleIn,
		RequestTime: metav1.NewTime(noon), DeadlineTime: metav1.NewTime(noon.Add(time.Hour))}
	fmt.Println(member.Next(s).Step)

	s.Nomad.Known = false
	fmt.Println(member.Next(s).Step)
	// Output:
	// Wait
	// Cordon
	// Wait
}

// What people see of a member: its phase and its conditions.
func ExampleDescribe() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := member.Describe(working(noon), member.Outcome{})
	fmt.Println(d.Phase, d.Conditions[v1alpha1.NodeReady].Status)

	down := working(noon)
	down.Nomad.Status = "down"
	d = member.Describe(down, member.Outcome{})
	fmt.Println(d.Phase, d.Conditions[v1alpha1.NodeReady].Status)
	// Output:
	// Ready True
	// Unhealthy False
}
