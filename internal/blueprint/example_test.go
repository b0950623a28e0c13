package blueprint_test

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// A revision changes if and only if a member made now would differ from those made before.
func ExampleRevision() {
	client := v1alpha1.NomadClient{Servers: []string{"10.0.0.10:4647"}}
	template := v1alpha1.NodeTemplate{CPU: 4, Memory: resource.MustParse("8Gi")}
	before := blueprint.Revision(&template, &client, "global")

	template.Memory = resource.MustParse("8192Mi")
	fmt.Println("the same size in another unit:", blueprint.Revision(&template, &client, "global") == before)

	template.CPU = 8
	fmt.Println("more CPUs:", blueprint.Revision(&template, &client, "global") == before)
	// Output:
	// the same size in another unit: true
	// more CPUs: false
}
