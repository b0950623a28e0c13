package nomad

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// What a token was sent over is closed with the cluster: it may have been dropped because the token was rotated.
func TestADroppedClusterLeavesNoConnection(t *testing.T) {
	var open atomic.Int64
	server := httptest.NewUnstartedServer(saying("[]"))
	server.Config.ConnState = func(_ net.Conn, now http.ConnState) {
		switch now {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		default:
		}
	}
	server.Start()
	defer server.Close()
	clusters := NewClusters(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- clusters.Start(ctx) }()
	c := clusters.Get(Connection{Address: server.URL})
	if _, err := c.Usage(t.Context(), []string{nodeA}); err != nil || open.Load() == 0 {
		t.Fatalf("%d connections: %v", open.Load(), err)
	}
	clusters.Drop(c)
	eventually(t, "the end of its connections", func() bool { return open.Load() == 0 })
	if cancel(); <-ended != nil {
		t.Error("the watchers failed")
	}
}
