package v1alpha1_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// spec.nomad of a NomadNode has fields that follow the pool and fields that a member is made from. The rule that keeps
// the latter names each of them.
func TestEveryFieldOfAMembersClientStays(t *testing.T) {
	text, err := os.ReadFile("../../config/crd/bases/nomad.harvesterhci.io_nomadnodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := strings.Join(strings.Fields(string(text)), " ") // the rule is folded
	for _, field := range reflect.VisibleFields(reflect.TypeFor[v1alpha1.NomadClient]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		rule := strings.ReplaceAll(
			"has(self.nomad.F) ? has(oldSelf.nomad.F) && self.nomad.F == oldSelf.nomad.F : !has(oldSelf.nomad.F)", "F", name)
		if name == "servers" { // which is always there
			rule = "self.nomad.servers == oldSelf.nomad.servers &&"
		}
		if !strings.Contains(crd, rule) {
			t.Errorf("no rule of the NomadNode's has %s", rule)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[v1alpha1.NomadConnection]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if strings.Contains(crd, "self.nomad."+name) {
			t.Errorf("%s follows the pool, and a rule keeps it", name)
		}
	}
}
