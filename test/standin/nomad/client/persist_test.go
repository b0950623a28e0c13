package client

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What is kept is the state when it's written, however long that had to wait for another: an older state doesn't
// replace a newer.
func TestStateIsKeptAsItIsWhenWritten(t *testing.T) {
	c := newClient(t)
	c.writing.Lock()
	kept := make(chan error, 1)
	go func() { kept <- c.persist() }()
	time.Sleep(100 * time.Millisecond)
	c.mu.Lock()
	c.dynamic["since"] = new("then")
	c.mu.Unlock()
	c.writing.Unlock()
	if err := <-kept; err != nil {
		t.Fatal(err)
	}
	again, err := New(c.config, nil, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if v := again.dynamic["since"]; v == nil || *v != "then" || again.identity.id != c.identity.id {
		t.Errorf("%s came back as %s with the meta %v", c.identity.id, again.identity.id, again.dynamic)
	}
}
