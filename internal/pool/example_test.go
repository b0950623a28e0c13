package pool_test

import (
	"fmt"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// A pool of three members is scaled in to two: the youngest in Nomad leaves, unless another one is annotated.
func ExampleDecide() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ready := func(name string, index uint64) pool.Member {
		return pool.Member{Name: name, Revision: "a1", CreateIndex: index, VMMade: true, Joined: true, Ready: true}
	}
	s := pool.Snapshot{Now: noon, Replicas: 2, Revision: "a1", NomadKnown: true,
		ScaleIn: v1alpha1.ScaleInSpec{Strategy: v1alpha1.NewestCreateIndex},
		Members: []pool.Member{ready("batch-1", 10), ready("batch-2", 20), ready("batch-3", 30)}}
	fmt.Println("to leave:", pool.Decide(s).Victims)

	s.Members[0].DeleteNext = true
	fmt.Println("to leave:", pool.Decide(s).Victims)
	// Output:
	// to leave: [batch-3]
	// to leave: [batch-1]
}

// A pool that grows begins with one member: a template that is refused is refused once.
func ExampleDecide_scaleOut() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := pool.Snapshot{Now: noon, Replicas: 5, Revision: "a1", NomadKnown: true}
	for range 2 {
		p := pool.Decide(s)
		fmt.Println("make", p.Create)
		for range p.Create {
			s.Members = append(s.Members, pool.Member{Name: fmt.Sprint("batch-", len(s.Members)), Revision: "a1",
				Created: noon, VMMade: true})
		}
	}
	// Output:
	// make 1
	// make 4
}
