package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
)

// Whoever is to maintain a host runs the commands of docs/harvester.md: its members drain and are replaced on other
// hosts, also of a pool whose members nobody evicts. Members on other hosts stay.
func TestOthersFreeAHost(t *testing.T) {
	t.Parallel()
	create(t, newPool("freed", 4))
	eventually(t, "freed", "the pool to settle", time.Minute, allReady(4))
	service(t, "freed", "freed-service", 4)
	before := members(t, "freed")
	host := before[0].Status.VM.Host
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: host}}
	t.Cleanup(func() {
		unfree := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"unschedulable":null}}`))
		if err := w.Client.Patch(context.Background(), node, unfree); err != nil {
			t.Error(err)
		}
	})
	documentedHostCommands(t, host)
	eventually(t, "freed", "the host to be free", 2*time.Minute, both(allReady(4),
		func(_ *v1alpha1.NomadNodePool, now []v1alpha1.NomadNode) error {
			for _, n := range now {
				if n.Status.VM.Host == host {
					return fmt.Errorf("%s is on %s", n.Name, host)
				}
			}
			return nil
		}))
	running(t, "freed-service", 4)
	noneLost(t, "freed-service")
	kept := map[string]bool{}
	for _, n := range members(t, "freed") {
		kept[n.Name] = true
	}
	for _, n := range before {
		if stayed := n.Status.VM.Host != host; kept[n.Name] != stayed {
			t.Errorf("%s was on %s, and is there: %v", n.Name, n.Status.VM.Host, kept[n.Name])
		}
	}
	onlyMembersLeft(t, "freed")
}

// documentedHostCommands runs them for members of pools of this test alone: other tests share the environment.
func documentedHostCommands(t *testing.T, host string) {
	t.Helper()
	script := documented(t, "harvester.md", "kubectl cordon")
	script = strings.Replace(script, "nomad.harvesterhci.io/pool\"", "nomad.harvesterhci.io/pool=freed\"", 1)
	if !strings.Contains(script, "pool=freed") {
		t.Fatalf("docs/harvester.md has other commands: %s", script)
	}
	programs, err := binaries.Ensure(t.Context(), os.Stderr, binaries.Kubectl)
	if err != nil {
		t.Fatal(err)
	}
	runScript(t, script, map[string]string{"kubectl": programs[binaries.Kubectl]}, "HOST="+host)
}
