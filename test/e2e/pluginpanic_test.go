package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/metrics"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/pkg/nomadtarget"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
)

const boom = "boom in the first "

// panicsOnce panics within the first request of each verb, where client-go notes how long it has taken.
type panicsOnce struct{ verbs sync.Map }

func (p *panicsOnce) Observe(_ context.Context, verb string, _ url.URL, _ time.Duration) {
	if _, again := p.verbs.LoadOrStore(verb, true); !again {
		panic(boom + verb)
	}
}

// servePanicking is the plugin with a fault. The agent starts the tests' own program for it.
func servePanicking() {
	metrics.RequestLatency = &panicsOnce{}
	nomadtarget.Serve()
}

// A panic of the plugin costs the call in which it is. Agent and plugin go on, and each policy's next evaluation works.
func TestPluginOutlivesAPanic(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	policies, pools := map[string]string{}, []string{"panic-one", "panic-two"}
	for _, pool := range pools {
		create(t, newPool(pool, 0))
		policies[pool+".hcl"] = fixedPolicy(pool, 1)
	}
	for _, pool := range pools {
		eventually(t, pool, "the empty pool to settle", time.Minute, allReady(0))
	}
	a := startAgent(t, policies, func(o *testenv.AutoscalerOptions) { o.Plugin = self })
	a.logs(t, "[ERROR]", "internal error")
	for _, verb := range []string{http.MethodGet, http.MethodPatch} { // go-plugin writes it before the stack or after it
		a.logs(t, `panic="`+boom+verb)
	}
	for _, pool := range pools {
		eventually(t, pool, "the policy to scale", time.Minute, replicas(1))
		change(t, pool, func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
		eventually(t, pool, "the policy to scale again", time.Minute, replicas(1))
	}
	a.checkSound(t)
}
