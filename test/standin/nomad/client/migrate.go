package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	standinrpc "github.com/nomad-harvester/nomad-harvester/test/standin/nomad/rpc"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

const (
	// formerInterval is how often a client asks if the allocation before has ended.
	formerInterval = 200 * time.Millisecond
	// dialTimeout is how long the node of that may take to answer at all.
	dialTimeout = 10 * time.Second
)

// fetch copies what the allocation before left on another node, if the group wants that. It waits for that one to end.
// If the data can't be had, because the node is gone or is going, the allocation begins with an empty directory, and
// only the log says so (facts/cases-2026-11.md C2, seen of 1.11.3). On the same node nothing is moved: sticky disks
// aren't played.
func (a *alloc) fetch(ctx context.Context) {
	spec := a.spec.Load()
	if spec.PreviousAllocation == "" || a.client.Has(spec.PreviousAllocation) || !state.DiskMigrates(spec) {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-a.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	former, err := a.client.awaitEnd(ctx, spec.PreviousAllocation)
	if err == nil {
		err = a.client.fetch(ctx, former, spec.PreviousAllocation, a.dir)
	}
	if err == nil {
		a.client.log.Info("migrated data from previous alloc", "alloc_id", a.id, "previous_alloc", spec.PreviousAllocation)
		return
	}
	a.client.log.Warn("error migrating data from previous alloc", "alloc_id", a.id, "error", err)
	if err := os.RemoveAll(a.dir); err != nil {
		a.client.log.Error("failed to clean directories after failed migration", "alloc_id", a.id, "error", err)
	}
	a.makeDir()
}

// awaitEnd asks the servers until an allocation has ended.
func (c *Client) awaitEnd(ctx context.Context, id string) (server.Former, error) {
	ticker := time.NewTicker(formerInterval)
	defer ticker.Stop()
	for {
		c.mu.Lock()
		session := c.session
		c.mu.Unlock()
		if session != nil {
			var former server.Former
			request := standinrpc.FormerRequest{Request: c.request(), AllocID: id}
			if wire.Call(ctx, session, "Alloc.Former", request, &former) == nil && former.Ended {
				return former, nil
			}
		}
		select {
		case <-ctx.Done():
			return server.Former{}, ctx.Err()
		case <-ticker.C:
		}
	}
}

// fetch reads the snapshot of an allocation's directory from its node into a directory.
func (c *Client) fetch(ctx context.Context, former server.Former, id, dir string) error {
	if former.Address == "" {
		return fmt.Errorf("the node of allocation %s isn't there any more", id)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext}
	defer transport.CloseIdleConnections()
	scheme := "http"
	if former.TLS {
		scheme = "https"
		if c.tls != nil {
			transport.TLSClientConfig = c.tls.Clone()
			transport.TLSClientConfig.ServerName = "client." + c.config.Region + ".nomad"
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		scheme+"://"+former.Address+"/v1/client/allocation/"+id+"/snapshot", nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Nomad-Token", former.Token)
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("error getting snapshot from previous alloc: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("error getting snapshot from previous alloc: %s", response.Status)
	}
	return unpack(response.Body, dir)
}

// MayFetch returns whether a request has the token for the snapshot of an allocation of this node.
func (c *Client) MayFetch(r *http.Request) bool {
	for _, a := range c.all() {
		if r.URL.Path == "/v1/client/allocation/"+a.id+"/snapshot" {
			return acl.ValidMigrateToken(a.id, c.identity.secret, r.Header.Get("X-Nomad-Token"))
		}
	}
	return false
}

// snapshot sends what moves of an allocation's directory. What goes wrong in the middle cuts the connection, so
// that nobody takes the rest for the whole.
func (c *Client) snapshot(w http.ResponseWriter, r *http.Request) {
	a := c.allocOf(w, r)
	if a == nil {
		return
	}
	if err := pack(w, a.dir, a.tasks); err != nil {
		c.log.Error("error sending a snapshot", "alloc_id", a.id, "error", err)
		panic(http.ErrAbortHandler)
	}
}
