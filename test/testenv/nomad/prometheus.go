package nomad

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// FakePrometheus is a stand-in for Prometheus: whatever is asked, it answers with one series that has one
// point, the number last Set. With the strategy pass-through it tells the autoscaler any number at will.
type FakePrometheus struct {
	// Addr is the base URL, for AutoscalerOptions.PrometheusAddr.
	Addr string

	server *http.Server
	mu     sync.Mutex
	value  float64
}

// StartFakePrometheus serves on a free port of 127.0.0.1 until Stop.
func StartFakePrometheus(value float64) (*FakePrometheus, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &FakePrometheus{Addr: "http://" + l.Addr().String(), value: value}
	p.server = &http.Server{Handler: http.HandlerFunc(p.answer), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = p.server.Serve(l) }() // returns when closed
	return p, nil
}

// Set changes the answer from now on.
func (p *FakePrometheus) Set(value float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.value = value
}

// Stop ends the server.
func (p *FakePrometheus) Stop() error { return p.server.Close() }

func (p *FakePrometheus) answer(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	value := strconv.FormatFloat(p.value, 'f', -1, 64)
	p.mu.Unlock()
	type series struct {
		Metric map[string]string `json:"metric"`
		Values [][2]any          `json:"values"`
	}
	now := float64(time.Now().UnixMilli()) / 1000
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // an error here means that the client has gone
		"status": "success",
		"data": map[string]any{
			"resultType": "matrix",
			"result":     []series{{Metric: map[string]string{"__name__": "wanted"}, Values: [][2]any{{now, value}}}},
		},
	})
}
