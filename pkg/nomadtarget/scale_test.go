package nomadtarget

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// panicking is a client of which every call panics: its interface is nil.
var panicking client.Client = panickingClient{}

type panickingClient struct{ client.Client }

func (panickingClient) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	panic("boom: EOF")
}

func to(count int64) sdk.ScalingAction {
	return sdk.ScalingAction{Count: count, Reason: "scaling up because\nfactor is 1.5", Direction: sdk.ScaleDirectionUp,
		Meta: map[string]any{"nomad_policy_id": "p-1"}}
}

func isNoOp(err error) bool {
	var noop *sdk.TargetScalingNoOpError
	return errors.As(err, &noop)
}

const scaled = "PATCH /apis/nomad.harvesterhci.io/v1alpha1/namespaces/default/nomadnodepools/workers/scale"

// The number is all that is written, and who asked for it travels with the request.
func TestScaleSetsReplicasAndRecordsThePolicy(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := newConfiguredTarget(t, server)
	if err := target.Scale(to(5), workers); err != nil {
		t.Fatal(err)
	}
	if got := server.pool().DesiredReplicas(); got != 5 {
		t.Errorf("replicas = %d; want 5", got)
	}
	if got := scaledBy(server.pool()); got != "nomad-autoscaler/p-1" {
		t.Errorf("scaled by %q; want the autoscaler and its policy", got)
	}
	if got := strings.Join(server.writes(), ", "); got != scaled {
		t.Errorf("writes = %s; want the number alone", got)
	}
	if len(
		logs.lines(`"@level":"info"`, `"scaled"`, `"from":3`, `"to":5`, `"policy":"p-1"`,
			`"reason":"scaling up because factor is 1.5"`),
	) != 1 {
		t.Errorf("log:\n%s", logs)
	}
}

func TestScaleRefusals(t *testing.T) {
	blocked := func(p *v1alpha1.NomadNodePool) {
		p.Status.ReadyReplicas = 2
		p.Status.Scaling = &v1alpha1.ScalingStatus{Growth: v1alpha1.GrowthBlocked, BlockedBy: v1alpha1.BlockedByQuota}
		p.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.PoolTemplateValid, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonQuotaExceeded,
				Message: "exceeded quota: vms"},
		}
	}
	for _, c := range []struct {
		name  string
		edit  func(*v1alpha1.NomadNodePool)
		count int64
		noop  bool
		text  string // "": allowed
	}{
		{"same count", nil, 3, true, "at 3 replicas already"},
		{"paused", func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = true }, 5, true, "paused"},
		{"deleting", func(p *v1alpha1.NomadNodePool) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, 5, true,
			"being deleted"},
		{"above max", func(p *v1alpha1.NomadNodePool) { p.Spec.MaxReplicas = ptr.To[int32](4) }, 5, false,
			"5 replicas is more than its spec.maxReplicas 4"},
		{"below min", func(p *v1alpha1.NomadNodePool) { p.Spec.MinReplicas = ptr.To[int32](3) }, 2, false,
			"2 replicas is less than its spec.minReplicas 3"},
		{"grow while members can't be made", blocked, 5, true, "exceeded quota: vms"},
		{"shrink while members can't be made", blocked, 2, false, ""},
		{"negative", nil, -2, false, "not a number of replicas"},
		{"too large", nil, 1 << 31, false, "not a number of replicas"},
		{"to zero", nil, 0, false, ""},
		{"while others drain", func(p *v1alpha1.NomadNodePool) { p.Status.DrainingReplicas = 2 }, 5, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := complete(3)
			if c.edit != nil {
				c.edit(pool)
			}
			server := newAPIServer(t, pool)
			target, _ := newConfiguredTarget(t, server)
			err := target.Scale(to(c.count), workers)
			if c.text == "" {
				if err != nil || int64(server.pool().DesiredReplicas()) != c.count {
					t.Errorf("Scale = %v, replicas = %d; want %d", err, server.pool().DesiredReplicas(), c.count)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.text) || isNoOp(err) != c.noop {
				t.Errorf("Scale = %v (no-op %v); want %q (no-op %v)", err, isNoOp(err), c.text, c.noop)
			}
			if writes := server.writes(); len(writes) > 0 {
				t.Errorf("wrote %v", writes)
			}
		})
	}
}

// beforeFirstWrite runs f before the first write is looked at.
func (s *apiServer) beforeFirstWrite(f func()) {
	var once sync.Once
	s.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			once.Do(f)
		}
		return false
	}
}

func TestScaleTriesAgainWhenOnlyTheStatusChanged(t *testing.T) {
	server := newAPIServer(t, complete(3))
	server.beforeFirstWrite(func() {
		server.change(func(p *v1alpha1.NomadNodePool) { p.Status.DrainingReplicas = 1 })
	})
	target, _ := newConfiguredTarget(t, server)
	if err := target.Scale(to(5), workers); err != nil || server.pool().DesiredReplicas() != 5 {
		t.Errorf("Scale = %v, replicas = %d; want 5", err, server.pool().DesiredReplicas())
	}
}

func TestScaleDoesNotOverwriteSomebodyElsesNumber(t *testing.T) {
	server := newAPIServer(t, complete(3))
	server.beforeFirstWrite(func() {
		server.change(func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](8) })
	})
	target, _ := newConfiguredTarget(t, server)
	if err := target.Scale(to(5), workers); !isNoOp(err) || !strings.Contains(err.Error(), "from 3 to 8") {
		t.Errorf("Scale = %v; want a no-op", err)
	}
	if got := server.pool().DesiredReplicas(); got != 8 {
		t.Errorf("replicas = %d; want the other's 8", got)
	}
}

// The agent decides on what Status has shown it: Scale doesn't read the pool again, and doesn't apply the decision to a
// number that somebody has changed since.
func TestScaleGoesByWhatStatusHasShown(t *testing.T) {
	for _, c := range []struct {
		name   string
		since  func(*v1alpha1.NomadNodePool) // nil: nothing was changed
		want   int32
		noOp   bool
		asked  int // reads, the one of Status included
		writes int
	}{
		{"nothing has changed", nil, 5, false, 1, 1},
		{"its status has changed", func(p *v1alpha1.NomadNodePool) { p.Status.DrainingReplicas = 1 }, 5, false, 2, 2},
		{"somebody has scaled it", func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](4) }, 4, true, 2, 1},
		{"somebody has paused it", func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = true }, 3, true, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newAPIServer(t, complete(3))
			target, _ := newConfiguredTarget(t, server)
			if _, err := target.Status(workers); err != nil {
				t.Fatal(err)
			}
			if c.since != nil {
				server.change(c.since)
			}
			if err := target.Scale(to(5), workers); isNoOp(err) != c.noOp || err != nil && !c.noOp {
				t.Errorf("Scale = %v", err)
			}
			reads, writes := len(server.reads()), len(server.writes())
			if got := server.pool().DesiredReplicas(); got != c.want || reads != c.asked || writes != c.writes {
				t.Errorf("%d replicas after %d reads and %d writes", got, reads, writes)
			}
			if err := target.Scale(to(2), workers); err != nil && !isNoOp(err) || len(server.reads()) != c.asked+1 {
				t.Errorf("once more, without a status: %v, after %d reads", err, len(server.reads()))
			}
		})
	}
}

// What was seen of one cluster's pool is no ground to scale another's of the same name.
func TestNothingSeenOutlivesAnotherConnection(t *testing.T) {
	first, second := newAPIServer(t, complete(3)), newAPIServer(t, complete(4))
	target, _ := newConfiguredTarget(t, first)
	if _, err := target.Status(workers); err != nil {
		t.Fatal(err)
	}
	if err := target.SetConfig(second.agentConfig()); err != nil {
		t.Fatal(err)
	}
	if err := target.Scale(to(5), workers); err != nil || second.pool().DesiredReplicas() != 5 || len(second.reads()) != 1 {
		t.Errorf("Scale = %v, %d replicas after %d reads", err, second.pool().DesiredReplicas(), len(second.reads()))
	}
}

func TestScaleGivesUpOnLastingConflicts(t *testing.T) {
	server := newAPIServer(t, complete(3))
	server.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			server.change(func(p *v1alpha1.NomadNodePool) { p.Status.DrainingReplicas++ })
		}
		return false
	}
	target, _ := newConfiguredTarget(t, server)
	if err := target.Scale(to(5), workers); err == nil || !apierrors.IsConflict(err) {
		t.Errorf("Scale = %v; want the conflict", err)
	}
	if got := len(server.writes()); got != scaleAttempts {
		t.Errorf("%d writes; want %d", got, scaleAttempts)
	}
}

// The bounds may change between the read and the write: then the API server refuses, and its words come through.
func TestScaleRepeatsTheServersRefusal(t *testing.T) {
	server := newAPIServer(t, complete(3))
	server.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/scale") {
			server.mu.Lock()
			server.pools["default/workers"].Spec.MaxReplicas = ptr.To[int32](4)
			server.mu.Unlock()
		}
		return false
	}
	target, _ := newConfiguredTarget(t, server)
	err := target.Scale(to(5), workers)
	if err == nil || isNoOp(err) || !strings.Contains(err.Error(), "default/workers") ||
		!strings.Contains(err.Error(), "5 is more than spec.maxReplicas 4") {
		t.Errorf("Scale = %v", err)
	}
}

func TestScaleErrorsAreHarmless(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, _ := newConfiguredTarget(t, server)
	server.Close()
	if err := target.Scale(to(5), workers); err == nil || harmful(err.Error()) {
		t.Errorf("Scale = %v; want an error without harmful text", err)
	}
	target.client.Store(&panicking)
	if err := target.Scale(to(5), workers); err == nil || harmful(err.Error()) {
		t.Errorf("Scale = %v; want an error without harmful text", err)
	}
	unconfigured, _ := newTestTarget(t)
	if err := unconfigured.Scale(to(5), workers); !errors.Is(err, errNotConfigured) {
		t.Errorf("Scale before SetConfig = %v", err)
	}
	if err := unconfigured.Scale(to(5), nil); err == nil {
		t.Error("Scale without a pool succeeded")
	}
}

// The API server refuses a field manager of more than 128 bytes, and one that can't be printed.
func TestFieldManager(t *testing.T) {
	for id, want := range map[string]string{
		"":                                     "nomad-autoscaler",
		" p-1":                                 "nomad-autoscaler/p-1",
		"5b1a4b5c-3a7c-1f0e-a1b2-0123456789ab": "nomad-autoscaler/5b1a4b5c-3a7c-1f0e-a1b2-0123456789ab",
		"a\nb\x00c\xff":                        "nomad-autoscaler/a_b_c_",
		strings.Repeat("é", 100):               "nomad-autoscaler/" + strings.Repeat("é", 55),
	} {
		action := to(5)
		action.Meta = map[string]any{metaPolicyID: id}
		if got := fieldManager(action); got != want {
			t.Errorf("policy %q: %q; want %q", id, got, want)
		}
	}
	if got := fieldManager(sdk.ScalingAction{}); got != "nomad-autoscaler" {
		t.Errorf("without a policy: %q", got)
	}
}

// Two policies for one pool are logged once per pair, if they scale it shortly after each other.
func TestTwoPoliciesForOnePool(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := newConfiguredTarget(t, server)
	clock := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	target.now = func() time.Time { return clock }
	scale := func(policy string, count int64, later time.Duration, warnings int) {
		t.Helper()
		clock = clock.Add(later)
		action := to(count)
		action.Meta = map[string]any{metaPolicyID: policy}
		if err := target.Scale(action, workers); err != nil {
			t.Fatal(err)
		}
		if got := len(logs.lines(`"@level":"warn"`, "two policies scale one pool", `"pool":"default/workers"`)); got != warnings {
			t.Errorf("%s to %d: %d warnings; want %d:\n%s", policy, count, got, warnings, logs)
		}
	}
	scale("day", 4, time.Minute, 0)
	scale("day", 5, time.Minute, 0)
	scale("night", 1, time.Hour, 0)
	scale("day", 5, time.Minute, 1)
	scale("night", 1, time.Minute, 1)
	scale("day", 5, time.Minute, 1)
	scale("other", 2, time.Minute, 2)
	scale("night", 3, time.Minute, 3)
	if len(logs.lines("two policies scale one pool", `["day","night"]`)) != 1 {
		t.Errorf("the pair isn't named:\n%s", logs)
	}
}
