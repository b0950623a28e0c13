package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// A Nomad that can't be reached is reported with its address. VMs may be made meanwhile, and all is well once the
// address is right.
func TestUnreachableNomadIsReported(t *testing.T) {
	t.Parallel()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("http://127.0.0.1:%d", port)
	create(t, newPool("nowhere", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = address }))
	eventually(t, "nowhere", "the pool to tell of it", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonUnreachable, "Nomad at "+address, "connection refused",
			"check that spec.nomad.address is right and that the controller can reach it"))
	eventually(t, "nowhere", "a VM to be made all the same", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) != 1 || nodes[0].Status.VM.UID == "" {
				return fmt.Errorf("members: %+v", nodes)
			}
			return nil
		})
	change(t, "nowhere", func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = "" })
	eventually(t, "nowhere", "the pool to heal", time.Minute, allReady(1))
}

// What a pool may name is one thing, where that leads another: the API server, and what is on the controller's host but
// isn't allowed, are refused where they are dialled.
func TestAddressesThatPoolsMayNotReachAreRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was reached") }))
	t.Cleanup(server.Close)
	// The test environment's controller may dial 127.0.0.0/8. To dial 0.0.0.0 leads to the same host.
	here := strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1)
	for name, c := range map[string]struct {
		address string
		parts   []string
	}{
		"inside": {here, []string{"the address 0.0.0.0 is no other host's", "--nomad-allowed-cidrs=0.0.0.0/32"}},
		"apiserver": {w.APIFaults.URL, []string{"the address " + strings.TrimPrefix(w.APIFaults.URL, "https://"),
			"the Kubernetes API server"}},
	} {
		create(t, newPool(name, 0, func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = c.address }))
		eventually(t, name, "the pool to tell of it", time.Minute, reports(v1alpha1.PoolNomadReachable,
			v1alpha1.ReasonAddressRefused, append(c.parts, "check that spec.nomad.address is right")...))
	}
}

// A token that Nomad doesn't know, and a Secret that isn't there, are reported as such, and heal.
func TestUselessCredentialsAreReported(t *testing.T) {
	t.Parallel()
	create(t, newPool("token", 0, credentials("token")))
	eventually(t, "token", "the missing Secret to be told", 30*time.Second,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials, "spec.nomad.credentialsSecretRef",
			fmt.Sprintf("Secret %q doesn't exist", fixtures.Namespace+"/token"), "create it with the keys token"))

	secret := tokenSecret(t, "token", "12345678-1234-1234-1234-123456789abc")
	eventually(t, "token", "the wrong token to be told", time.Minute, reports(v1alpha1.PoolNomadReachable,
		v1alpha1.ReasonCredentials, "refuses the token",
		"put the secret ID of a valid token into the Secret that spec.nomad.credentialsSecretRef names",
		`node { policy = "write" }`))
	eventually(t, "token", "the pool to say that it isn't ready", 10*time.Second,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonCredentials))

	putToken(t, secret, w.NomadToken)
	eventually(t, "token", "the valid token to be used", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonReachable))
	eventually(t, "token", "the pool to settle", 10*time.Second, allReady(0))
}

// The default credentials are read again while it runs, as a Secret that is mounted changes, and what is
// wrong with them is reported by all pools that need them.
func TestDefaultCredentialsAreReadAgain(t *testing.T) {
	write := func(key, content string) {
		if err := os.WriteFile(filepath.Join(defaultCredentials, key), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, key := range []string{"NOMAD_TOKEN", "ca.crt"} {
			if err := os.RemoveAll(filepath.Join(defaultCredentials, key)); err != nil {
				t.Error(err)
			}
		}
	})
	create(t, newPool("own", 0))
	eventually(t, "own", "the pool to settle", 30*time.Second, allReady(0))
	write("NOMAD_TOKEN", "12345678-1234-1234-1234-123456789abc")
	eventually(t, "own", "the wrong token to be told", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials, "refuses the token"))
	write("ca.crt", "no certificate")
	eventually(t, "own", "the broken file to be told", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials,
			"The controller's own connection to Nomad can't be used", "ca.crt"))
	if err := os.Remove(filepath.Join(defaultCredentials, "ca.crt")); err != nil {
		t.Fatal(err)
	}
	write("NOMAD_TOKEN", w.NomadToken)
	eventually(t, "own", "the right token to be used", time.Minute,
		both(allReady(0), reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonReachable)))
}

// A token that expires is reported as such, and the next one is used.
func TestExpiredTokenIsReported(t *testing.T) {
	t.Parallel()
	const rules = `node { policy = "write" } namespace "*" { capabilities = ["read-job"] }`
	expiring, err := w.NomadServer.ExpiringToken("expiring", rules, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	secret := tokenSecret(t, "expiring", expiring)
	create(t, newPool("expiring", 0, credentials("expiring")))
	eventually(t, "expiring", "the token to be used", 15*time.Second,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonReachable))
	eventually(t, "expiring", "the expired token to be told", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials,
			"put the secret ID of a valid token into the Secret"))

	putToken(t, secret, w.NomadToken)
	eventually(t, "expiring", "the next token to be used", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonReachable))
}

// A token that may not drain can't have a guest introduced either. Both are reported, with the right that is missing,
// and heal.
func TestTokenWithoutNodeWriteIsReported(t *testing.T) {
	t.Parallel()
	powerless, err := w.NomadServer.TokenWithPolicy("powerless",
		`node { policy = "read" } namespace "*" { capabilities = ["read-job"] }`)
	if err != nil {
		t.Fatal(err)
	}
	introduces, err := w.NomadServer.Introduces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret := tokenSecret(t, "powerless", powerless)
	create(t, newPool("powerless", 1, credentials("powerless"), func(p *v1alpha1.NomadNodePool) {
		if introduces {
			p.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionAlways
		}
	}))
	eventually(t, "powerless", "the lack to be told", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonTokenLacksNodeWrite, `node { policy = "write" }`))
	eventually(t, "powerless", "the member to say that it gets no introduction token", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if !introduces {
				return nil // nobody waits for what there isn't
			}
			if len(nodes) != 1 {
				return errNotYet
			}
			if c := memberCondition(nodes[0], v1alpha1.NodeVMReady); c.Reason != v1alpha1.ReasonIntroductionToken {
				return fmt.Errorf("VMReady is %s: %s", c.Reason, c.Message)
			}
			return nil
		})
	putToken(t, secret, w.NomadToken)
	eventually(t, "powerless", "the pool to heal", 90*time.Second, allReady(1))
}

// To a token without read-job busy nodes look empty. So nobody leaves, and the message holds the policy to add.
func TestTokenWithoutReadJobBlocksTheScaleIn(t *testing.T) {
	t.Parallel()
	withoutReadJob, err := w.NomadServer.TokenWithPolicy("blind", `node { policy = "write" }`)
	if err != nil {
		t.Fatal(err)
	}
	create(t, newPool("blind", 2))
	eventually(t, "blind", "the pool to settle", 90*time.Second, allReady(2))
	sleepers(t, "blind", 4)
	secret := tokenSecret(t, "blind", withoutReadJob)
	change(t, "blind", credentials("blind"))
	const policy = `namespace "*" { capabilities = ["read-job"] }`
	eventually(t, "blind", "the blind token to be told", time.Minute,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonTokenLacksReadJob,
			"does not see the allocations of every namespace, and busy nodes would look empty",
			"have the token's policies grant: "+policy))

	if err := scale(t, "blind", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "blind", "the scale-in to be held", 30*time.Second,
		reports(v1alpha1.PoolScalingIn, v1alpha1.ReasonNomadUnknown, policy))
	stays(t, "blind", "nobody leaves", 5*time.Second, func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		return errors.Join(nobodyLeaves(nodes), allRun("blind", 4))
	})

	putToken(t, secret, w.NomadToken)
	eventually(t, "blind", "the scale-in to go on", 2*time.Minute, allReady(1))
	if err := onlyNomadStopped("blind"); err != nil {
		t.Error(err)
	}
}

func nobodyLeaves(nodes []v1alpha1.NomadNode) error {
	for _, n := range nodes {
		found, _, err := w.Nomad.Nodes().Info(n.Spec.NodeID, nil)
		if err != nil {
			return err
		}
		if n.Spec.Drain != nil || found.SchedulingEligibility != api.NodeSchedulingEligible || found.DrainStrategy != nil {
			return fmt.Errorf("member %s: drain %+v, Nomad node %s", n.Name, n.Spec.Drain, found.SchedulingEligibility)
		}
	}
	if len(nodes) != 2 {
		return fmt.Errorf("%d members, not 2", len(nodes))
	}
	return nil
}

func credentials(secret string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: secret} }
}

func tokenSecret(t *testing.T, name, token string) *corev1.Secret {
	t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name},
		StringData: map[string]string{"token": token}}
	if err := w.Client.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

func putToken(t *testing.T, s *corev1.Secret, token string) {
	t.Helper()
	before := s.DeepCopy()
	s.Data = map[string][]byte{"token": []byte(token)}
	if err := w.Client.Patch(t.Context(), s, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// sleepers runs a job of that many real tasks in a pool's node pool until the test ends.
func sleepers(t *testing.T, pool string, count int) {
	t.Helper()
	task := api.NewTask("sleep", "raw_exec").SetConfig("command", "sleep").SetConfig("args", []string{"86400"}).
		Require(&api.Resources{CPU: ptr.To(50), MemoryMB: ptr.To(32)})
	task.KillTimeout = ptr.To(2 * time.Second)
	group := api.NewTaskGroup("sleep", count).AddTask(task)
	group.Migrate = &api.MigrateStrategy{MaxParallel: ptr.To(count), HealthCheck: ptr.To("task_states"),
		MinHealthyTime: ptr.To(time.Duration(0)), HealthyDeadline: ptr.To(time.Minute)}
	job := api.NewServiceJob(pool, pool, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
	job.NodePool = ptr.To(pool)
	if _, _, err := w.Nomad.Jobs().Register(job, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = w.Nomad.Jobs().Deregister(pool, false, nil) })
	eventually(t, pool, "the job to run", time.Minute,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error { return allRun(pool, count) })
}

func allRun(job string, count int) error {
	all, _, err := w.Nomad.Jobs().Allocations(job, true, nil)
	if err != nil {
		return err
	}
	running := 0
	for _, a := range all {
		if a.ClientStatus == api.AllocClientStatusRunning && a.DesiredStatus == api.AllocDesiredStatusRun {
			running++
		}
	}
	if running != count {
		return fmt.Errorf("%d of %d allocations run", running, count)
	}
	return nil
}

// onlyNomadStopped checks that no allocation of a job ended but by Nomad's own order.
func onlyNomadStopped(job string) error {
	all, _, err := w.Nomad.Jobs().Allocations(job, true, nil)
	if err != nil {
		return err
	}
	return endedByOrder(all)
}

func endedByOrder(all []*api.AllocationListStub) error {
	var errs []error
	for _, a := range all {
		switch a.ClientStatus {
		case api.AllocClientStatusPending, api.AllocClientStatusRunning:
		case api.AllocClientStatusComplete:
			if a.DesiredStatus == api.AllocDesiredStatusRun {
				errs = append(errs, fmt.Errorf("allocation %s ended by itself", a.Name))
			}
		default:
			errs = append(errs, fmt.Errorf("allocation %s is %s: %s", a.Name, a.ClientStatus, a.ClientDescription))
		}
	}
	return errors.Join(errs...)
}
