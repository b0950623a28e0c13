package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// A write that was sent before the controller is asked to end is done, although the API server takes its time. So the
// next controller finds what this one believes to have written.
func TestTheControllersLastWriteIsFinished(t *testing.T) {
	create(t, newPool("ending", 0))
	eventually(t, "ending", "the pool to settle", time.Minute, allReady(0))
	sent := make(chan struct{})
	var once sync.Once
	t.Cleanup(w.APIFaults.Inject(faultproxy.Fault{
		Match: func(r *http.Request) bool {
			hit := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/nomadnodes")
			if hit {
				once.Do(func() { close(sent) })
			}
			return hit
		},
		Delay: 2 * time.Second, Times: 1,
	}))
	if err := scale(t, "ending", 1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-sent:
	case <-time.After(slack * 30 * time.Second):
		t.Fatal("no member is made")
	}
	stopped := controller.Stop()
	_, nodes, err := read(t.Context(), "ending")
	if again := controller.Start(t.Context()); again != nil {
		t.Fatal(again)
	}
	if stopped != nil || err != nil || len(nodes) != 1 {
		t.Errorf("stopped: %v; %d members were written: %v", stopped, len(nodes), err)
	}
	eventually(t, "ending", "the member", time.Minute, allReady(1))
}
