package nomad

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/semaphore"
)

// remote sends single requests to one cluster. It keeps no state but caches, and no Connection: a struct with a
// Connection in a field can print its secrets.
type remote struct {
	api *api.Client
	// broken is why there is no client; every request fails with it.
	broken error
	// timeout of a request that doesn't wait for a change.
	timeout    time.Duration
	migrations *migrations
	// allocations is the memory for lists of allocations (holding).
	allocations *semaphore.Weighted
	// session is nil if the connection has a token of its own, or none.
	session *session
}

func newRemote(conn Connection, o Options, all shared) *remote {
	r := &remote{timeout: o.RequestTimeout, migrations: newMigrations(), allocations: all.allocations}
	client, err := newAPIClient(conn, o.RefuseAddress, newLargeTurns(o.Clock, all, conn.Address))
	if err != nil {
		r.broken = fmt.Errorf("connection to Nomad at %s: %w", conn.Address, err)
	}
	r.api = client
	return r
}

// query does one read. Its timeout is added to the time that the server may wait for a change.
func (r *remote) query(ctx context.Context, doing string, q api.QueryOptions,
	do func(*api.QueryOptions) error) (err error) {
	if r.broken != nil {
		return r.broken
	}
	ctx, ended := timed(ctx)
	defer func() { ended(err) }()
	if q.AuthToken, err = r.token(ctx); err != nil {
		return err
	}
	// The server adds up to a sixteenth to the wait (Nomad: nomad/rpc.go, blockingRPC).
	ctx, cancel := context.WithTimeout(ctx, q.WaitTime+q.WaitTime/16+r.timeout)
	defer cancel()
	return r.noteRefusal(Classify(doing, catchPanic(func() error { return do(q.WithContext(ctx)) })))
}

// write does one write.
func (r *remote) write(ctx context.Context, doing string, do func(*api.WriteOptions) error) (err error) {
	if r.broken != nil {
		return r.broken
	}
	ctx, ended := timed(ctx)
	defer func() { ended(err) }()
	token, err := r.token(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.noteRefusal(Classify(doing, catchPanic(func() error {
		return do((&api.WriteOptions{AuthToken: token}).WithContext(ctx))
	})))
}

func (r *remote) close() {
	if r.api != nil {
		r.api.Close()
	}
}

var nodeIDPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// checkNodeID keeps anything but a complete node ID out of request paths and filters: Nomad would take a part of an ID
// for a prefix that matches many nodes.
func checkNodeID(id string) error {
	if !nodeIDPattern.MatchString(id) {
		return fmt.Errorf("%q is not a Nomad node ID", id)
	}
	return nil
}
