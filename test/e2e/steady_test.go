package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/world/fixtures"
)

// Pools that are as they should be, or that wait for something to change, write nothing: not to Kubernetes, not to
// Nomad, not to the log.
func TestSteadyPoolsWriteNothing(t *testing.T) {
	create(t, newPool("steady", 2))
	create(t, newPool("held", 1))
	create(t, newPool("short", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Template.Disks[0].Image = fixtures.ImageNotReady }))
	eventually(t, "steady", "the pool to settle", time.Minute, settled(2))
	eventually(t, "held", "the pool to settle", time.Minute, settled(1))
	eventually(t, "short", "the pool to say what is wrong", time.Minute, says(v1alpha1.PoolTemplateValid, v1alpha1.ReasonImageNotReady))
	service(t, "steady", "steady-service", 2)
	_, nodes, err := read(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	protect := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{%q:""}}}`, v1alpha1.ProtectAnnotation))
	if err := w.Client.Patch(t.Context(), &nodes[0], protect); err != nil {
		t.Fatal(err)
	}
	if err := scale(t, "held", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "held", "the pool to say that its member is protected", time.Minute, says(v1alpha1.PoolScalingIn, v1alpha1.ReasonAllProtected))

	var before map[string]string
	eventually(t, "steady", "what happened before to be over", time.Minute, holds(5*time.Second, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		now := fingerprint(t)
		was := before
		before = now
		if changed := differences(was, now); len(changed) > 0 {
			return fmt.Errorf("changed: %v", changed)
		}
		return nil
	}))
	time.Sleep(20 * time.Second) // this is what is tested
	if changed := differences(before, fingerprint(t)); len(changed) > 0 {
		t.Errorf("in 20 s, with nothing to do: %v\ncontroller:\n%s", changed, controller.Process().Tail(10))
	}
}

// fingerprint is the version of everything that the controller could write to.
func fingerprint(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{"writes of the controller": fmt.Sprint(len(w.APIFaults.Writes()))}
	for _, pool := range []string{"steady", "held", "short"} {
		p, _, err := read(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		out["pool "+pool] = p.ResourceVersion
		for _, l := range []client.ObjectList{
			&v1alpha1.NomadNodeList{}, &kubevirtv1.VirtualMachineList{}, &corev1.SecretList{}, &corev1.PersistentVolumeClaimList{},
		} {
			for _, o := range objects(t, l, pool) {
				out[fmt.Sprintf("%T %s", o, o.GetName())] = o.GetResourceVersion()
			}
		}
		for _, n := range nomadNodes(pool) {
			out["Nomad node "+n.Name] = fmt.Sprint(n.ModifyIndex)
		}
	}
	var events corev1.EventList
	if err := w.Client.List(t.Context(), &events, client.InNamespace(fixtures.Namespace)); err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		if e.ReportingController == "nomad-harvester" {
			out["event "+e.Name] = e.ResourceVersion
		}
	}
	out["Nomad's nodes"] = nodesIndex(t)
	info, err := os.Stat(controllerLog(t))
	if err != nil {
		t.Fatal(err)
	}
	out["the controller's log"] = fmt.Sprint(info.Size())
	return out
}

// nodesIndex moves with each write to any node. The index of Nomad's whole log moves by itself, too.
func nodesIndex(t *testing.T) string {
	t.Helper()
	_, meta, err := w.Nomad.Nodes().List(nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(meta.LastIndex)
}

func controllerLog(t *testing.T) string {
	t.Helper()
	if controller.Spec.LogFile == "" {
		t.Fatal("the controller has no log file")
	}
	return filepath.Clean(controller.Spec.LogFile)
}

func differences(a, b map[string]string) []string {
	var out []string
	for k, v := range b {
		if a[k] != v {
			out = append(out, fmt.Sprintf("%s (%s -> %s)", k, a[k], v))
		}
	}
	for k := range a {
		if _, ok := b[k]; !ok {
			out = append(out, k+" is gone")
		}
	}
	slices.Sort(out)
	return out
}
