package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// screen is what a person sees.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shows waits until a text is on the screen for the given time.
func (s *screen) shows(t *testing.T, text string, times int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, 5*time.Millisecond, text, func(context.Context) error {
		if n := strings.Count(s.String(), text); n < times {
			return fmt.Errorf("it is there %d times, not %d, in\n%s", n, times, s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// installed is a product in an environment of fakes, and what it has said.
func installed(t *testing.T) (*product, *fakeEnvironment, *screen) {
	t.Helper()
	env, out := &fakeEnvironment{dir: t.TempDir()}, &screen{}
	p := &product{env: env, out: out, nomadAddr: "http://127.0.0.1:4646", caFile: "ca.pem"}
	t.Cleanup(func() {
		if p.controller != nil {
			_ = p.controller.Stop()
		}
		if p.autoscaler != nil {
			_ = p.autoscaler.Stop()
		}
	})
	if err := p.install(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, env, out
}

// Prometheus runs on request alone: then it asks Nomad, and the autoscaler asks it.
func TestPrometheusRunsOnRequest(t *testing.T) {
	const hint = "need PROMETHEUS=yes make world"
	for name, c := range map[string]struct {
		setting, value, asked string
		hint                  bool
	}{
		"not asked for": {"PROMETHEUS", "", `controller, autoscaler with ""`, true},
		"asked for": {"PROMETHEUS", "yes",
			`prometheus of 127.0.0.1:4646, controller, autoscaler with "http://127.0.0.1:9090"`, false},
		"nothing is to run": {"CONTROLLER", "no", "install", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(c.setting, c.value)
			_, env, out := installed(t)
			if got := env.asked(); got != c.asked {
				t.Errorf("it was asked for %s, want %s", got, c.asked)
			}
			if strings.Contains(out.String(), hint) != c.hint ||
				strings.Contains(out.String(), "prometheus runs, at http://127.0.0.1:9090") != (c.value == "yes") {
				t.Errorf("it said %s", out)
			}
		})
	}
}

// A controller that died is said, with the end of its log and the command that starts it and the autoscaler again, and
// the command does. It is said again when the next one dies.
func TestControllerThatDiedIsSaid(t *testing.T) {
	p, env, out := installed(t)
	agent := p.autoscaler.Process()
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		p.watch(ctx)
	}()
	t.Cleanup(func() { cancel(); <-watched })

	for life := 1; life <= 2; life++ {
		out.shows(t, "controller runs", life)
		if died := strings.Count(out.String(), "The controller has ended"); died != life-1 {
			t.Fatalf("it is said %d times to have ended in its life %d: %s", died, life, out)
		}
		if err := env.controller().Kill(); err != nil {
			t.Fatal(err)
		}
		out.shows(t, "The controller has ended; nobody looks after pools.", life)
		out.shows(t, "its last line\n  the last line\n", life)
		out.shows(t, fmt.Sprintf("kubectl apply -k config/default && kill -USR1 %d\n", os.Getpid()), life)
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		out.shows(t, "autoscaler runs", life+1)
	}
	if want := strings.Repeat(`, controller, autoscaler with ""`, 3)[2:]; env.asked() != want {
		t.Errorf("it was asked for %s, want %s", env.asked(), want)
	}
	select {
	case <-agent.Done():
	default:
		t.Error("the first autoscaler still runs")
	}
}
