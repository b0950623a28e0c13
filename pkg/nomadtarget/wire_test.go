package nomadtarget

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	targetplugin "github.com/hashicorp/nomad-autoscaler/plugins/target"
	"github.com/hashicorp/nomad-autoscaler/sdk"
	"k8s.io/client-go/tools/metrics"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/pkg/nomadtarget/nomadtargettest"
)

const (
	testChatter = "NOMADTARGET_TEST_CHATTER"
	testPanic   = "NOMADTARGET_TEST_PANIC"
)

// panicsOnce panics within the first request of each verb, where client-go notes how long it has taken.
type panicsOnce struct{ verbs sync.Map }

func (p *panicsOnce) Observe(_ context.Context, verb string, _ url.URL, _ time.Duration) {
	if _, again := p.verbs.LoadOrStore(verb, true); !again {
		panic("boom in the first " + verb)
	}
}

// TestMain lets the test binary be the plugin, chosen as the product's binary chooses.
func TestMain(m *testing.M) {
	if IsPluginLaunch(os.Environ()) {
		if os.Getenv(testPanic) != "" {
			metrics.RequestLatency = &panicsOnce{}
		}
		if os.Getenv(testChatter) != "" {
			go func() {
				// Serve sets the loggers; until then these lines are lost.
				for range time.Tick(20 * time.Millisecond) {
					klog.InfoS("a line of klog")
					ctrllog.Log.Info("a line of controller-runtime")
				}
			}()
		}
		Serve()
		return
	}
	os.Exit(m.Run())
}

// launch starts the test binary under a name of its own, as the agent starts a driver from its plugin_dir.
func launch(t *testing.T, name string, env ...string) (targetplugin.Target, *logBuffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	logs := &logBuffer{}
	cmd := exec.Command(path)
	cmd.Env = append([]string{"KUBECONFIG=", "HARVESTER_URL=", "HARVESTER_TOKEN=", "HARVESTER_CA_CERT="}, env...)
	target, stop, err := nomadtargettest.Launch(cmd, logs)
	if err != nil {
		t.Fatalf("%v\n%s", err, logs)
	}
	t.Cleanup(stop)
	return target, logs
}

// A real process, over real gRPC.
func TestPluginProcess(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := launch(t, "any-name-at-all")

	info, err := target.PluginInfo()
	if err != nil || info.Name != "any-name-at-all" || info.PluginType != sdk.PluginTypeTarget {
		t.Errorf("PluginInfo = %+v, %v; want the name it was launched under", info, err)
	}
	if err := target.SetConfig(map[string]string{"nomad_token": "n0mad-s3cr3t"}); err == nil ||
		!strings.Contains(err.Error(), "harvester_url") {
		t.Errorf("SetConfig without a connection = %v", err)
	}
	if err := target.SetConfig(server.agentConfig()); err != nil {
		t.Fatal(err)
	}
	policy := map[string]string{"node_pool_name": "workers", "node_class": "workers", keyGRPCTimeout: "7.5s"}
	if status, err := target.Status(policy); err != nil || !status.Ready || status.Count != 3 {
		t.Errorf("Status = %+v, %v", status, err)
	}
	if err := target.Scale(to(5), policy); err != nil {
		t.Errorf("Scale = %v", err)
	}
	if err := target.Scale(to(5), policy); !isNoOp(err) {
		t.Errorf("second Scale = %v; want a no-op error", err)
	}
	dry := to(9)
	dry.SetDryRun()
	if err := target.Scale(dry, policy); err != nil {
		t.Errorf("dry run = %v", err)
	}
	if got := server.pool().DesiredReplicas(); got != 5 {
		t.Errorf("replicas %d; want 5", got)
	}
	logs.await(t, "[INFO]", "dry run", "would_be=9")
	server.Close()
	if status, err := target.Status(policy); err != nil || status.Ready || status.Count != 3 {
		t.Errorf("Status with the server down = %+v, %v; want not ready and the count last read", status, err)
	}
	if err := target.Scale(to(6), policy); err == nil || harmful(err.Error()) {
		t.Errorf("Scale with the server down = %v", err)
	}
	logs.await(t, "[WARN]", "Unreachable")
	if strings.Contains(logs.String(), "s3cr3t") || len(logs.lines("[WARN]", "Unreachable")) != 1 {
		t.Errorf("the agent's log:\n%s", logs)
	}
}

// A panic costs the call in which it is. The process goes on, and so do the other policies that it serves: one that has
// died would stay dead until the agent is restarted.
func TestPluginProcessOutlivesAPanic(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := launch(t, "harvester", testPanic+"=1")
	if err := target.SetConfig(server.agentConfig()); err != nil {
		t.Fatal(err)
	}
	if status, err := target.Status(workers); err != nil || status.Ready {
		t.Errorf("Status that panics = %+v, %v; want not ready, and no error", status, err)
	}
	if status, err := target.Status(workers); err != nil || !status.Ready || status.Count != 3 {
		t.Errorf("the next Status = %+v, %v", status, err)
	}
	if err := target.Scale(to(5), workers); err == nil || harmful(err.Error()) {
		t.Errorf("Scale that panics = %v", err)
	}
	if err := target.Scale(to(6), workers); err != nil {
		t.Errorf("the next Scale = %v", err)
	}
	if got := server.pool().DesiredReplicas(); got != 6 {
		t.Errorf("replicas %d; want 6", got)
	}
	logs.await(t, "[ERROR]", "internal error")
	for _, verb := range []string{"GET", "PATCH"} { // go-plugin writes it before the stack or after it, as chance has it
		logs.await(t, `panic="boom in the first `+verb)
	}
}

// What client-go and controller-runtime log reaches the agent although stdout and stderr are replaced.
func TestLibraryLogsReachTheAgent(t *testing.T) {
	_, logs := launch(t, "harvester", testChatter+"=1")
	logs.await(t, "[INFO]", "a line of klog")
	logs.await(t, "[INFO]", "a line of controller-runtime")
}

// await waits for a line with all of the given texts: what a process logs comes a moment later.
func (b *logBuffer) await(t *testing.T, containing ...string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for len(b.lines(containing...)) == 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%q never came:\n%s", containing, b)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
