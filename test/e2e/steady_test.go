package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// Pools that are as they should be, or that wait for something to change, write nothing: not to Kubernetes, not to
// Nomad, not to the log.
func TestSteadyPoolsWriteNothing(t *testing.T) {
	create(t, newPool("steady", 2))
	create(t, newPool("held", 1))
	create(t,
		newPool("short", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Template.Disks[0].Image = fixtures.ImageNotReady }))
	eventually(t, "steady", "the pool to settle", time.Minute, allReady(2))
	eventually(t, "held", "the pool to settle", time.Minute, allReady(1))
	eventually(t, "short", "the pool to say what is wrong", time.Minute,
		reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonImageNotReady))
	service(t, "steady", "steady-service", 2)
	_, nodes, err := read(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	protect := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:""}}}`, v1alpha1.ProtectAnnotation))
	if err := w.Client.Patch(t.Context(), &nodes[0], protect); err != nil {
		t.Fatal(err)
	}
	if err := scale(t, "held", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "held", "the pool to say that its member is protected", time.Minute,
		reports(v1alpha1.PoolScalingIn, v1alpha1.ReasonAllProtected))

	// Details of a member's status are written ten seconds late.
	var before map[string]string
	eventually(t, "steady", "what happened before to be over", time.Minute,
		lasts(15*time.Second, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			now := fingerprint(t)
			was := before
			before = now
			if changed := differences(was, now); len(changed) > 0 {
				return fmt.Errorf("changed: %v", changed)
			}
			return nil
		}))
	// The controller is made to look at each pool and member again, and has nothing to write: so it doesn't matter how
	// rarely it does that by itself. A slow machine makes Nomad miss a heartbeat, and a pool that tells of it is right to:
	// that alone is a reason to look once more.
	for range 3 {
		missed, earlier := missedHeartbeats(t), reconciles(t)
		before := touched(t, fingerprint(t))
		time.Sleep(20 * time.Second) // this is what is tested
		changed := differences(before, fingerprint(t))
		if now := reconciles(t); now["nomadnodepool"] < earlier["nomadnodepool"]+3 || now["nomadnode"] < earlier["nomadnode"]+3 {
			t.Fatalf("the controller didn't look at three pools and three members again: %v, then %v", earlier, now)
		}
		if len(changed) == 0 {
			return
		}
		t.Logf("in 20 s: %v", changed)
		if missedHeartbeats(t) == missed {
			t.Fatalf("with nothing to do, something changed; controller:\n%s", controller.Process().Tail(10))
		}
	}
	t.Error("three times in 20 s Nomad missed heartbeats, so that nothing was tested")
}

// touched changes an annotation of each pool and member that means nothing, and returns the fingerprint with that.
func touched(t *testing.T, before map[string]string) map[string]string {
	t.Helper()
	touch := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/touched":%q}}}`, time.Now()))
	for _, pool := range steadyPools {
		p, nodes, err := read(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		all := []client.Object{p}
		for i := range nodes {
			all = append(all, &nodes[i])
		}
		for _, o := range all {
			if err := w.Client.Patch(t.Context(), o, touch); err != nil {
				t.Fatal(err)
			}
			before[keyOf(o)] = o.GetResourceVersion()
		}
	}
	return before
}

// reconciles are how often the controllers of pools and of members have looked, by their names.
func reconciles(t *testing.T) map[string]float64 {
	t.Helper()
	text, err := controller.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, m := range reconciled.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		out[m[1]] += n
	}
	return out
}

var reconciled = regexp.MustCompile(`(?m)^controller_runtime_reconcile_total\{controller="([^"]+)",[^}]*\} (\S+)$`)

// missedHeartbeats is what Nomad tells of nodes that it didn't hear of in time.
func missedHeartbeats(t *testing.T) (all string) {
	t.Helper()
	for _, pool := range steadyPools {
		for _, stub := range nomadNodes(pool) {
			n, _, err := w.Nomad.Nodes().Info(stub.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range n.Events {
				if strings.Contains(e.Message, "heartbeat") || strings.Contains(e.Message, "registered") {
					all += fmt.Sprintln(n.Name, e.Timestamp, e.Message)
				}
			}
		}
	}
	return all
}

var steadyPools = []string{"steady", "held", "short"}

// ofSteadyPools tells whether something is of these pools by its name, or by that of what it is about. Other tests'
// pools may have an Event left to write: the recorder ends a series minutes after its last one.
func ofSteadyPools(name string) bool {
	return slices.ContainsFunc(steadyPools, func(pool string) bool {
		return name == pool || strings.HasPrefix(name, pool+"-") || strings.HasPrefix(name, pool+".")
	})
}

// fingerprint is the version of everything that the controller could write to.
func fingerprint(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for i, write := range w.APIFaults.Writes() {
		if ofSteadyPools(path.Base(strings.TrimSuffix(write.Path, "/status"))) || write.Method == http.MethodPost {
			out[fmt.Sprintf("write %d: %s %s", i, write.Method, write.Path)] = fmt.Sprint(write.Status)
		}
	}
	for _, pool := range steadyPools {
		p, _, err := read(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		out[keyOf(p)] = p.ResourceVersion
		for _, l := range []client.ObjectList{
			&v1alpha1.NomadNodeList{}, &kubevirtv1.VirtualMachineList{}, &corev1.SecretList{},
			&corev1.PersistentVolumeClaimList{},
		} {
			for _, o := range objects(t, l, pool) {
				out[keyOf(o)] = o.GetResourceVersion()
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
		if e.ReportingController == "nomad-harvester" && ofSteadyPools(e.InvolvedObject.Name) {
			out["event "+e.Name+": "+e.Message] = e.ResourceVersion
		}
	}
	out["Nomad's nodes"] = nodesIndex(t)
	log, err := os.ReadFile(controllerLog(t))
	if err != nil {
		t.Fatal(err)
	}
	out["the controller's log"] = fmt.Sprint(logged(string(log)))
	return out
}

// keyOf is what an object is called in a fingerprint.
func keyOf(o client.Object) string { return fmt.Sprintf("%T %s", o, o.GetName()) }

// debugging matches the lines of a log that are written only because it is as verbose as it can be.
var debugging = regexp.MustCompile(`"level":"(debug|Level\(-\d+\))"`)

// logged is how many lines of a log anybody would get.
func logged(log string) (lines int) {
	for line := range strings.Lines(log) {
		if !debugging.MatchString(line) {
			lines++
		}
	}
	return lines
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
