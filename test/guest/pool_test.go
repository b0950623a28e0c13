package guest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

const pool = "machines"

// rawExec is site configuration beside the member's own: scripts of the test run by this driver.
const rawExec = `#cloud-config
write_files:
- path: /etc/nomad.d/50-raw-exec.hcl
  content: |
    plugin "raw_exec" {
      config { enabled = true }
    }
`

func newPool() *v1alpha1.NomadNodePool {
	return &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: pool},
		Spec: v1alpha1.NomadNodePoolSpec{
			Replicas: new(int32),
			Nomad: v1alpha1.NomadSpec{
				NomadClient: v1alpha1.NomadClient{Servers: []string{w.NomadServer.RPCAddr}, NodePool: pool}},
			Template: v1alpha1.NodeTemplate{
				CPU: 1, Memory: resource.MustParse("1Gi"),
				Disks: []v1alpha1.Disk{
					{Name: "root", Size: resource.MustParse("20Gi"), Image: fixtures.Image},
					{Name: "data", Size: resource.MustParse("2Gi"), StorageClassName: "harvester-longhorn"},
				},
				Networks:  []v1alpha1.Network{{Name: fixtures.Network}},
				CloudInit: v1alpha1.CloudInit{UserData: rawExec},
			},
			// A machine that is slow to boot is not the one that this is about.
			Health: v1alpha1.HealthSpec{JoinTimeout: metav1.Duration{Duration: time.Hour},
				UnhealthyTimeout: metav1.Duration{Duration: time.Hour}},
		},
	}
}

// A pool scales from 0 to 2 and to 1 with machines that boot, run cloud-init and join under the IDs seeded there. One
// that is rebooted from inside comes back as the same member and Nomad node, and so does one that powers itself off.
func TestPoolOfWholeMachines(t *testing.T) {
	p := newPool()
	if err := w.Client.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, p) })
	allReady(t, 0)
	scale(t, 2)
	first := allReady(t, 2)
	before := map[string]map[string]string{}
	for _, m := range first {
		checkNomadNode(t, m)
		before[m.Name] = checkMachine(t, m)
	}

	rebooted, restarted := first[0], first[1]
	instances := map[string]types.UID{rebooted.Name: instance(t, rebooted.Name).UID,
		restarted.Name: instance(t, restarted.Name).UID}
	reboot := start(t, rebooted.Spec.NodeID, once("systemctl reboot"))
	poweroff := start(t, restarted.Spec.NodeID, once("systemctl poweroff"))
	output(t, "the rebooted guest to be back", reboot)
	output(t, "the guest that powered off to be back", poweroff)
	for i, m := range allReady(t, 2) {
		if m.UID != first[i].UID || m.Spec.NodeID != first[i].Spec.NodeID {
			t.Errorf("%s (node %s) was replaced by %s (node %s)", first[i].Name, first[i].Spec.NodeID, m.Name, m.Spec.NodeID)
		}
		after := checkMachine(t, m)
		if after["boot"] == before[m.Name]["boot"] {
			t.Errorf("%s has never booted anew", m.Name)
		}
		// A reboot is the guest's own affair, but a machine that is off is another instance when it's on again.
		if same, want := instance(t, m.Name).UID == instances[m.Name], m.Name == rebooted.Name; same != want {
			t.Errorf("%s has the same instance: %v, want %v", m.Name, same, want)
		}
	}
	if nodes := nomadNodes(t); len(nodes) != 2 {
		t.Errorf("Nomad has %d nodes of the pool, not 2", len(nodes))
	}

	scale(t, 1)
	left := allReady(t, 1)[0]
	checkNomadNode(t, left)
	if nodes := nomadNodes(t); len(nodes) != 1 || nodes[0].ID != left.Spec.NodeID {
		t.Errorf("Nomad has %d nodes of the pool, not that of %s alone", len(nodes), left.Name)
	}
	if guests := w.Hypervisor.Guests(); len(guests) != 1 || guests[0].VM.Name != left.Name {
		t.Errorf("guests %+v, want that of %s alone", guests, left.Name)
	}
}

// once ends the guest the first time it runs, and ends well the next time: on the same disk.
func once(command string) string {
	return fmt.Sprintf("[ -e /var/tmp/done ] && exit 0; touch /var/tmp/done; sync; %s; sleep 3600", command)
}

func checkNomadNode(t *testing.T, m v1alpha1.NomadNode) {
	t.Helper()
	node, _, err := w.Nomad.Nodes().Info(m.Spec.NodeID, nil)
	if err != nil {
		t.Fatalf("the Nomad node of %s: %v", m.Name, err)
	}
	if node.Name != m.Name || node.Status != api.NodeStatusReady || node.Meta[v1alpha1.MetaPoolUID] != m.Spec.PoolUID ||
		node.NodePool != pool {
		t.Errorf("the Nomad node of %s is %s, %s, in pool %s, with the meta %v", m.Name, node.Name, node.Status,
			node.NodePool, node.Meta)
	}
}

// survey waits for cloud-init and says what the machine is.
const survey = `
until [ -e /run/cloud-init/result.json ]; do sleep 1; done
echo errors $(python3 -c 'import json; print(json.load(open("/run/cloud-init/result.json"))["v1"]["errors"])')
echo source $(cat /run/cloud-init/cloud-id)
echo instance $(cat /var/lib/cloud/data/instance-id)
echo uuid $(cat /sys/class/dmi/id/product_uuid)
echo boot $(cat /proc/sys/kernel/random/boot_id)
echo name $(hostname)
echo mac $(cat /sys/class/net/e*/address)
echo cpus $(nproc)
echo memory $(awk '/MemTotal/ {print $2}' /proc/meminfo)
echo root $(cat /sys/block/vda/size)
echo filesystem $(stat -f -c %b /) $(stat -f -c %S /)
echo data $(cat /sys/block/vdb/size)
`

// checkMachine compares what the guest sees with what its VM says.
func checkMachine(t *testing.T, m v1alpha1.NomadNode) map[string]string {
	t.Helper()
	got := facts(output(t, "the survey of "+m.Name, start(t, m.Spec.NodeID, survey)))
	t.Logf("%s: %v", m.Name, got)
	vmi := instance(t, m.Name)
	for key, want := range map[string]string{
		"errors": "[]", "source": "nocloud", "name": m.Name, "cpus": "1",
		"instance": string(vmi.Spec.Domain.Firmware.UUID), "uuid": string(vmi.Spec.Domain.Firmware.UUID),
		"mac": vmi.Status.Interfaces[0].MAC, "root": sectors("20Gi"), "data": sectors("2Gi"),
	} {
		if got[key] != want {
			t.Errorf("%s: %s is %q, want %q", m.Name, key, got[key], want)
		}
	}
	// A kernel keeps some of the memory for itself, and a file system some of the disk.
	within(t, m.Name+": KiB of memory", got["memory"], float64(vmi.Spec.Domain.Memory.Guest.Value()>>10))
	blocks, size, _ := strings.Cut(got["filesystem"], " ")
	bytes, err := strconv.ParseFloat(size, 64)
	if err != nil {
		t.Fatal(err)
	}
	within(t, m.Name+": blocks of the root file system", blocks, float64(20<<30)/bytes)
	return got
}

func sectors(size string) string {
	q := resource.MustParse(size)
	return strconv.FormatInt(q.Value()/512, 10)
}

// within allows for what is kept: a fifth.
func within(t *testing.T, what, got string, want float64) {
	t.Helper()
	if n, err := strconv.ParseFloat(got, 64); err != nil || n > want || n < want*0.8 {
		t.Errorf("%s: %s, want about %.0f", what, got, want)
	}
}

func instance(t *testing.T, name string) *kubevirtv1.VirtualMachineInstance {
	t.Helper()
	vmi := &kubevirtv1.VirtualMachineInstance{}
	if err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: fixtures.Namespace, Name: name}, vmi); err != nil {
		t.Fatal(err)
	}
	return vmi
}

func nomadNodes(t *testing.T) []*api.NodeListStub {
	t.Helper()
	nodes, _, err := w.Nomad.Nodes().List(&api.QueryOptions{Filter: fmt.Sprintf("NodePool == %q", pool)})
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// remove deletes the pool and waits until nothing is left of it, and no guest.
func remove(t *testing.T, p *v1alpha1.NomadNodePool) {
	ctx, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	if t.Failed() {
		for _, g := range w.Hypervisor.Guests() {
			t.Logf("guest %s: running %v, console in %s", g.VM, g.Running, g.LogFile)
		}
		for _, e := range w.Hypervisor.Trace() {
			t.Logf("%s %s %s %s", e.Time.Format(time.TimeOnly), e.Kind, e.VM, e.Detail)
		}
	}
	if err := w.Client.Delete(ctx, p); err != nil {
		t.Error(err)
		return
	}
	if err := waitGone(ctx); err != nil {
		t.Error(err)
	}
}
