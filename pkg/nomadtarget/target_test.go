package nomadtarget

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad-autoscaler/plugins"
)

func TestSetConfigNeverDials(t *testing.T) {
	server := newAPIServer(t)
	target, _ := newConfiguredTarget(t, server)
	server.mu.Lock()
	requests := len(server.requests)
	server.mu.Unlock()
	if requests > 0 {
		t.Errorf("SetConfig sent %d requests", requests)
	}
	config := server.agentConfig()
	server.Close()
	if err := target.SetConfig(config); err != nil {
		t.Errorf("SetConfig with the server down: %v", err)
	}
}

func TestSetConfigKeepsTheFormerConfigurationOnError(t *testing.T) {
	target, _ := newConfiguredTarget(t, newAPIServer(t, complete(3)))
	if err := target.SetConfig(map[string]string{"harvester_url": "https://EOF"}); err == nil || harmful(err.Error()) {
		t.Errorf("SetConfig = %v; want an error without harmful text", err)
	}
	if ready, _ := mustStatus(t, target, workers); !ready {
		t.Error("the former configuration was lost")
	}
}

// Whatever happens, no log line and no error holds a token.
func TestSecretsAreNeverShown(t *testing.T) {
	server := newAPIServer(t, complete(3))
	target, logs := newConfiguredTarget(t, server)
	var shown strings.Builder
	collect := func(err error) {
		if err != nil {
			shown.WriteString(err.Error())
		}
	}
	mustStatus(t, target, workers)
	collect(target.Scale(to(5), workers))
	wrong := server.agentConfig()
	wrong["ca_cert"] = "/no/such/file"
	collect(target.SetConfig(wrong))
	delete(wrong, "harvester_url")
	collect(target.SetConfig(wrong))
	server.Close()
	mustStatus(t, target, workers)
	collect(target.Scale(to(6), workers))
	shown.WriteString(logs.String())
	for _, secret := range []string{testToken, "s3cr3t"} {
		if strings.Contains(shown.String(), secret) {
			t.Errorf("%q was shown:\n%s", secret, &shown)
		}
	}
}

// Status, Scale and SetConfig of several policies at once, as the agent does it; the race detector is the judge, and
// no policy ends up with a number that it didn't ask for.
func TestConcurrentCalls(t *testing.T) {
	const policies, rounds = 6, 15
	server := newAPIServer(t)
	for i := range policies {
		p := complete(3)
		p.Name = "pool-" + strconv.Itoa(i)
		server.put(p)
	}
	target, _ := newConfiguredTarget(t, server)
	var wg sync.WaitGroup
	for i := range policies {
		config := map[string]string{"node_pool_name": "pool-" + strconv.Itoa(i), "cpu_request": "1"}
		wg.Go(func() {
			for range rounds {
				if _, err := target.Status(config); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for n := range rounds {
				action := to(int64(4 + n))
				action.Meta = map[string]any{metaPolicyID: strconv.Itoa(4 + n)}
				err := target.Scale(action, config)
				for isNoOp(err) { // a Status that was slow has shown an earlier number; the agent would evaluate anew
					err = target.Scale(action, config)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range rounds {
			if err := target.SetConfig(server.agentConfig()); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	server.mu.Lock()
	defer server.mu.Unlock()
	for name, p := range server.pools {
		if p.DesiredReplicas() != 4+rounds-1 {
			t.Errorf("%s has %d replicas", name, p.DesiredReplicas())
		}
		if got := scaledBy(p); got != "nomad-autoscaler/"+strconv.Itoa(int(p.DesiredReplicas())) {
			t.Errorf("%s was scaled to %d by %s", name, p.DesiredReplicas(), got)
		}
	}
}

func TestStatusTimeout(t *testing.T) {
	for given, want := range map[string]time.Duration{
		"": callTimeout, "nonsense": callTimeout, "-1s": callTimeout, "7.5s": callTimeout, "1s": 800 * time.Millisecond,
		"750ms": 600 * time.Millisecond, "1222222210s": callTimeout, "2562047h47m": callTimeout,
	} {
		if got := statusTimeout(map[string]string{keyGRPCTimeout: given}); got != want {
			t.Errorf("statusTimeout(%q) = %v; want %v", given, got, want)
		}
	}
}

func TestPoolOf(t *testing.T) {
	for _, c := range []struct {
		config map[string]string
		want   string // "": error
	}{
		{map[string]string{"node_pool_name": "a"}, "default/a"},
		{map[string]string{"node_pool_name": "a", "name": "b", "node_group_name": "c", "namespace": "n"}, "n/a"},
		{map[string]string{"name": "b", "node_group_name": "c"}, "default/b"},
		{map[string]string{"node_group_name": " c "}, "default/c"},
		{map[string]string{"node_pool": "a", "Namespace": "n"}, ""},
		{map[string]string{"name": "Upper"}, ""},
		{map[string]string{"name": "a", "namespace": "a.b"}, ""},
	} {
		got, err := poolOf(c.config)
		if (err != nil) != (c.want == "") || (err == nil && got.String() != c.want) {
			t.Errorf("poolOf(%v) = %v, %v; want %q", c.config, got, err, c.want)
		}
	}
}

func TestIsPluginLaunch(t *testing.T) {
	cookie := plugins.Handshake.MagicCookieKey + "=" + plugins.Handshake.MagicCookieValue
	for _, c := range []struct {
		environ []string
		want    bool
	}{
		{nil, false},
		{[]string{"PATH=/bin", cookie}, true},
		{[]string{plugins.Handshake.MagicCookieKey + "="}, false},
		{[]string{"X" + cookie}, false},
	} {
		if got := IsPluginLaunch(c.environ); got != c.want {
			t.Errorf("IsPluginLaunch(%v) = %v", c.environ, got)
		}
	}
}
