package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	nomadapi "github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// After every program has crashed and come back, the environment still makes VMs that join Nomad.
func TestProgramsComeBackAfterACrash(t *testing.T) {
	w := shared
	for _, name := range []string{"kube-apiserver", "etcd", "kube-controller-manager", "virt-api", "virt-controller",
		"harvester-lite", "nomad"} {
		if err := w.Process(name).Kill(); err != nil {
			t.Fatalf("kill %s: %v", name, err)
		}
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "virt-api", "virt-controller",
		"harvester-lite", "nomad"} {
		if err := w.Process(name).Restart(t.Context()); err != nil {
			t.Fatalf("restart %s: %v", name, err)
		}
	}
	vm, nodeID := createVM(t, w, "after-the-crash")
	waitRunning(t, w, vm)
	waitReady(t, w, nodeID)
}

// A paused program answers nobody, though its port is open, until it is resumed.
func TestPausedProgramResumes(t *testing.T) {
	p := shared.Process("nomad")
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Resume() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, _, err := shared.Nomad.Nodes().List((&nomadapi.QueryOptions{}).WithContext(ctx)); !errors.Is(err,
		context.DeadlineExceeded) {
		t.Errorf("a paused Nomad was asked: %v", err)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Nomad to answer", func(ctx context.Context) error {
		_, _, err := shared.Nomad.Nodes().List((&nomadapi.QueryOptions{}).WithContext(ctx))
		return err
	})
}

func TestUnknownProgramPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	shared.Process("kube-scheduler")
}

// The proxy carries a service account's token, and loses answers of writes that happened.
func TestAPIFaultsHitServiceAccounts(t *testing.T) {
	w := shared
	if err := w.InstallProduct(t.Context()); err != nil {
		t.Fatal(err)
	}
	file, err := w.Kube.KubeconfigVia(t.Context(), w.APIFaults.URL, fixtures.ProductNamespace,
		testenv.ControllerServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: w.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	var pools v1alpha1.NomadNodePoolList
	if err := c.List(t.Context(), &pools); err != nil {
		t.Fatalf("listing pools as the controller: %v", err)
	}

	remove := w.APIFaults.Inject(faultproxy.Fault{
		Match:  func(r *http.Request) bool { return r.Method == http.MethodPost },
		Effect: faultproxy.LoseAnswer,
	})
	defer remove()
	// The admission of the installation lets the controller make no other Secrets.
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: "lost-answer-cloudinit",
		Labels: map[string]string{v1alpha1.NodeLabel: "lost-answer"}}}
	stored := secret.DeepCopy()
	if err := c.Create(t.Context(), secret); err == nil || apierrors.IsForbidden(err) {
		t.Errorf("the answer wasn't lost: %v", err)
	}
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Errorf("the write whose answer was lost: %v", err)
	}
	if err := w.Client.Delete(t.Context(), stored); err != nil {
		t.Error(err)
	}
}

func TestControllerStartsAndServesMetrics(t *testing.T) {
	c, err := shared.StartController(t.Context(), testenv.ControllerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Metrics(t.Context()); err != nil {
		t.Error(err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := c.Process().Err(); err != nil {
		t.Errorf("the controller's end: %v\n%s", err, c.Process().Tail(5))
	}
}

func TestAutoscalerLaunchesThePlugin(t *testing.T) {
	a, err := shared.StartAutoscaler(t.Context(), testenv.AutoscalerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin's process", func(context.Context) error {
		if len(a.PluginPids()) == 0 {
			return fmt.Errorf("none; agent log:\n%s", a.Process().Tail(10))
		}
		return nil
	})
	if err := a.Stop(); err != nil {
		t.Error(err)
	}
}
