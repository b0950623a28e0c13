package nomadtarget

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func mustStatus(t *testing.T, target *Target, config map[string]string) (ready bool, count int64) {
	t.Helper()
	status, err := target.Status(config)
	if err != nil || status == nil {
		t.Fatalf("Status = %v, %v; want a status", status, err)
	}
	if status.Meta != nil {
		t.Errorf("Meta = %v; want none", status.Meta)
	}
	return status.Ready, status.Count
}

func TestStatusLogsTransitionsOnce(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := newConfiguredTarget(t, server)
	step := func(wantReady bool, wantCount int64, wantLines int) {
		t.Helper()
		for range 3 {
			if ready, count := mustStatus(t, target, workers); ready != wantReady || count != wantCount {
				t.Errorf("Status = ready %v, count %d; want %v, %d", ready, count, wantReady, wantCount)
			}
		}
		if got := len(logs.lines(`"@level":"info"`, `"pool":"default/workers"`)); got != wantLines {
			t.Errorf("%d lines on the pool; want %d:\n%s", got, wantLines, logs)
		}
	}
	step(true, 3, 1)
	server.change(func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas, p.Generation = ptr.To[int32](5), 5 })
	step(false, 5, 2)
	server.change(func(p *v1alpha1.NomadNodePool) { p.Status.ObservedGeneration, p.Status.JoiningReplicas = 5, 2 })
	step(false, 5, 3)
	server.change(func(p *v1alpha1.NomadNodePool) { p.Status.JoiningReplicas = 1 })
	step(false, 5, 3)
	server.change(func(p *v1alpha1.NomadNodePool) { p.Status.JoiningReplicas, p.Status.ReadyReplicas = 0, 5 })
	step(true, 5, 4)
	if writes := server.writes(); len(writes) > 0 {
		t.Errorf("Status wrote: %v", writes)
	}
}

// Every fault of the API server is "not ready" with the last known count, never an error, and is logged once.
func TestStatusSurvivesFaults(t *testing.T) {
	resource := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "nomadnodepools"}
	refusal := func(err *apierrors.StatusError) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { refuse(w, err); return true }
	}
	for _, c := range []struct {
		name, reason string
		before       func(http.ResponseWriter, *http.Request) bool
	}{
		{"401", "Unauthorized", refusal(apierrors.NewUnauthorized("token expired"))},
		{"403", "Forbidden", refusal(apierrors.NewForbidden(resource, "workers", nil))},
		{"404", "NotFound", refusal(apierrors.NewNotFound(resource, "workers"))},
		{"429", "TooManyRequests", refusal(apierrors.NewTooManyRequests("busy", 60))},
		{"500", "ServerError", func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "etcd: EOF", http.StatusInternalServerError)
			return true
		}},
		// client-go tries again, until the time is up.
		{"connection closed", "Timeout", func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }},
		{"no answer", "Timeout", func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newAPIServer(t, complete(3))
			target, logs := newConfiguredTarget(t, server)
			mustStatus(t, target, workers)
			server.mu.Lock()
			server.before = c.before
			server.mu.Unlock()

			config := maps.Clone(workers)
			config[keyGRPCTimeout] = "250ms"
			start := time.Now()
			for range 2 {
				if ready, count := mustStatus(t, target, config); ready || count != 3 {
					t.Errorf("Status = ready %v, count %d; want not ready, the last count 3", ready, count)
				}
			}
			if took := time.Since(start); took > 2*250*time.Millisecond {
				t.Errorf("two calls took %v, longer than the agent waits", took)
			}
			warnings := logs.lines(`"@level":"warn"`, `"reason":"`+c.reason+`"`)
			if len(warnings) != 1 {
				t.Fatalf("%d warnings, want 1:\n%s", len(warnings), logs)
			}
			if harmful(warnings[0]) {
				t.Errorf("harmful text in the log: %s", warnings[0])
			}
		})
	}
}

func TestStatusOfAnUnreachableServer(t *testing.T) {
	server := newAPIServer(t)
	target, logs := newConfiguredTarget(t, server)
	server.Close()
	if ready, count := mustStatus(t, target, workers); ready || count != 0 {
		t.Errorf("Status = ready %v, count %d", ready, count)
	}
	if len(logs.lines(`"@level":"warn"`, "Unreachable")) != 1 || harmful(logs.String()) {
		t.Errorf("log:\n%s", logs)
	}
}

func TestStatusOfAMissingPoolNamesTheRemedy(t *testing.T) {
	target, logs := newConfiguredTarget(t, newAPIServer(t))
	mustStatus(t, target, map[string]string{"node_pool_name": "typo", "namespace": "nomad"})
	if len(logs.lines(`"@level":"warn"`, "nomad/typo", "kubectl get nnp -A", `"namespace":"nomad"`)) != 1 {
		t.Errorf("log:\n%s", logs)
	}
}

func TestStatusOfAPolicyThatHasToBeEdited(t *testing.T) {
	target, _ := newConfiguredTarget(t, newAPIServer(t, complete(3)))
	for name, config := range map[string]map[string]string{
		"nil": nil, "no pool": {"node_class": "x"}, "bad pool": {"node_pool_name": "EOF/x"},
		"bad namespace": {"name": "workers", "namespace": "a/b"},
	} {
		status, err := target.Status(config)
		if err == nil || status != nil || harmful(err.Error()) || !strings.Contains(err.Error(), "NomadNodePool") {
			t.Errorf("%s: Status = %v, %v; want an error that says what to do", name, status, err)
		}
	}
}

func TestStatusRemarksOnThePolicyOnce(t *testing.T) {
	target, logs := newConfiguredTarget(t, newAPIServer(t, complete(3)))
	config := map[string]string{"name": "workers", "cpu_request": "4", "memory_request": "8Gi",
		"node_class": "other", "datacenter": "dc1", "node_purge": "true"}
	for range 3 {
		mustStatus(t, target, config)
	}
	for _, remark := range []string{"spec.template.cpu", "spec.template.memory", "spec.nomad.nodeClass"} {
		if n := len(logs.lines(`"@level":"warn"`, remark)); n != 1 {
			t.Errorf("%d remarks on %s; want 1", n, remark)
		}
	}
	if n := len(logs.lines(`"@level":"warn"`)); n != 3 {
		t.Errorf("%d warnings; want 3:\n%s", n, logs)
	}
}

func TestStatusSurvivesAPanic(t *testing.T) {
	target, logs := newTestTarget(t)
	target.client.Store(&panicking)
	if ready, count := mustStatus(t, target, workers); ready || count != 0 {
		t.Errorf("Status = ready %v, count %d", ready, count)
	}
	if len(logs.lines(`"@level":"error"`, "boom")) != 1 {
		t.Errorf("log:\n%s", logs)
	}
}
