package sim

import "testing"

// Many pools cost what their members cost, and nothing while nothing happens.
func TestFleet(t *testing.T) {
	of := Fleet{Pools: 12, Members: 5}
	var all []Scene
	if err := RunFleet(of, func(s Scene) { all = append(all, s); t.Logf("%+v", s) }); err != nil {
		t.Fatal(err)
	}
	if len(all) != len(scenes) {
		t.Fatalf("%d scenes", len(all))
	}
	for i, s := range all {
		if scenes[i].idle > 0 && s.Writes > 0 {
			t.Errorf("%s: %d writes", s.Name, s.Writes)
		}
		if each := float64(s.Writes) / float64(s.Members); each > 25 {
			t.Errorf("%s: %.1f writes a member", s.Name, each)
		}
	}
	if again := 0; RunFleet(of, func(s Scene) {
		if s != all[again] {
			t.Errorf("another run has %+v, not %+v", s, all[again])
		}
		again++
	}) != nil {
		t.Error("another run fails")
	}
}
