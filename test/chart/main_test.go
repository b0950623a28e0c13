package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	timeout = 3 * time.Minute
	// root of the repository, from here.
	root = "../.."
)

var (
	w             *testenv.Environment
	helm, kubectl string
)

func TestMain(m *testing.M) {
	o := testenv.Options{ACL: true, Guest: hypervisor.SimulatedGuest, Progress: os.Stderr, Installed: true}
	os.Exit(testenv.Main(m, o, func(started *testenv.Environment) {
		w = started
		programs, err := binaries.Ensure(context.Background(), os.Stderr, binaries.Helm, binaries.Kubectl)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			_ = w.Stop()
			os.Exit(1)
		}
		helm, kubectl = programs[binaries.Helm], programs[binaries.Kubectl]
	}))
}

// run runs Helm or kubectl as the cluster's administrator.
func run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	home := filepath.Join(t.TempDir(), filepath.Base(program))
	cmd.Env = append(os.Environ(), "KUBECONFIG="+w.Kubeconfig, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home,
		"HELM_DATA_HOME="+home, "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	t.Logf("$ %s %v\n%s", filepath.Base(program), args, out)
	return string(out), err
}

func must(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := run(t, program, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", filepath.Base(program), args, err, out)
	}
	return out
}

// startController runs what the installation is for. Its Deployment makes no Pods here: the environment's hosts run VMs
// alone.
func startController(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	_, stop = controllerWith(t, args...)
	return stop
}

func controllerWith(t *testing.T, args ...string) (c *testenv.Controller, stop func()) {
	t.Helper()
	c, err := w.StartController(t.Context(), testenv.ControllerOptions{Args: append(args, testenv.Verbose)})
	if err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return c, stop
}

// createPool makes a pool of two members, and waits for them.
func createPool(t *testing.T, name string) {
	t.Helper()
	p := poolIn(fixtures.Namespace, name)
	if err := w.Client.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	awaitMembers(t, p)
}

// poolIn is a pool of two members.
func poolIn(namespace, name string) *v1alpha1.NomadNodePool {
	return &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.NomadNodePoolSpec{
			Replicas: ptr.To[int32](2),
			Nomad: v1alpha1.NomadSpec{
				NomadClient: v1alpha1.NomadClient{Servers: []string{w.NomadServer.RPCAddr}, NodePool: name}},
			Template: v1alpha1.NodeTemplate{
				CPU: 2, Memory: resource.MustParse("2Gi"),
				Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: fixtures.Image}},
				Networks: []v1alpha1.Network{{Name: fixtures.Network}},
			},
		},
	}
}

func awaitMembers(t *testing.T, p *v1alpha1.NomadNodePool) {
	t.Helper()
	eventually(t, "two ready members", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		if p.Status.ReadyReplicas != 2 || !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.PoolReady) {
			return fmt.Errorf("status %+v", p.Status)
		}
		return nil
	})
}

// members are the UIDs of all members' records.
func members(t *testing.T) map[string]bool {
	t.Helper()
	var l v1alpha1.NomadNodeList
	if err := w.Client.List(t.Context(), &l); err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, n := range l.Items {
		if n.Spec.Drain == nil && n.DeletionTimestamp == nil {
			uids[string(n.UID)] = true
		}
	}
	return uids
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := process.WaitFor(ctx, 200*time.Millisecond, what, check); err != nil {
		t.Fatal(err)
	}
}
