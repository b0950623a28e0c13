package client

import (
	"context"
	"fmt"
	"net/rpc"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hashicorp/nomad/api"

	standinrpc "github.com/nomad-harvester/nomad-harvester/test/standin/nomad/rpc"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

// pollTime is how long the server may hold a request for allocations.
const pollTime = 5 * time.Minute

// keepSession registers the node and keeps it alive until something fails.
func (c *Client) keepSession(ctx context.Context, address string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work, ctx := errgroup.WithContext(ctx)
	session, err := wire.Dial(ctx, address, c.tls)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = session.Close() }) // which ends the calls under way as well
	go wire.Serve(session, nil, c.pages())
	main, err := wire.Open(session)
	if err != nil {
		return err
	}
	ttl, err := c.register(main)
	if err != nil {
		return fmt.Errorf("registration failure: %w", err)
	}
	watch, err := wire.Open(session)
	if err != nil {
		return err
	}
	updates, err := wire.Open(session)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.session = session
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.session = nil
		c.mu.Unlock()
	}()
	work.Go(func() error { return c.heartbeat(ctx, main, ttl) })
	work.Go(func() error { return c.watch(ctx, watch) })
	work.Go(func() error { return c.report(ctx, updates) })
	return work.Wait()
}

func (c *Client) request() standinrpc.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return standinrpc.Request{Region: c.config.Region, AuthToken: c.identity.auth()}
}

func (c *Client) register(main *rpc.Client) (time.Duration, error) {
	c.mu.Lock()
	n := c.node.Copy()
	n.Meta = c.meta()
	request := standinrpc.RegisterRequest{
		Request: standinrpc.Request{Region: c.config.Region, AuthToken: c.identity.registration()}, Node: n}
	c.mu.Unlock()
	var reply server.Registered
	if err := main.Call("Node.Register", request, &reply); err != nil {
		return 0, err
	}
	if reply.SignedIdentity != "" {
		c.mu.Lock()
		c.identity.signed = reply.SignedIdentity
		c.mu.Unlock()
		if err := c.persist(); err != nil {
			return 0, err
		}
	}
	c.log.Info("node registration complete")
	return reply.HeartbeatTTL, nil
}

// heartbeat reports the node ready as often as the server asks for.
func (c *Client) heartbeat(ctx context.Context, main *rpc.Client, _ time.Duration) error {
	for {
		var reply server.Registered
		request := standinrpc.UpdateStatusRequest{Request: c.request(), NodeID: c.identity.id, Status: state.NodeReady}
		if err := main.Call("Node.UpdateStatus", request, &reply); err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		// A server without an opinion, as right after an election, says 0.
		ttl := max(reply.HeartbeatTTL, time.Second)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(ttl * 8 / 10):
		}
	}
}

// watch follows what the servers want to run here.
func (c *Client) watch(ctx context.Context, watch *rpc.Client) error {
	index := uint64(0)
	for ctx.Err() == nil {
		var reply standinrpc.ClientAllocsReply
		request := standinrpc.ClientAllocsRequest{
			Request: c.request(), NodeID: c.identity.id, SecretID: c.identity.secret, MinQueryIndex: index,
			MaxQueryTime: pollTime,
		}
		if err := watch.Call("Node.GetClientAllocs", request, &reply); err != nil {
			return fmt.Errorf("watch allocations: %w", err)
		}
		index = reply.Index
		wanted := c.changed(reply.Allocs)
		var got standinrpc.GetAllocsReply
		if len(wanted) > 0 {
			if err := watch.Call("Alloc.GetAllocs", standinrpc.GetAllocsRequest{Request: c.request(), AllocIDs: wanted},
				&got); err != nil {
				return fmt.Errorf("get allocations: %w", err)
			}
		}
		c.follow(got.Allocs, reply.Allocs)
		c.once.Do(func() { close(c.contacted) })
	}
	return ctx.Err()
}

// reportInterval gathers what is to be reported, as Nomad's clients do.
const reportInterval = 100 * time.Millisecond

// report tells the servers how the allocations are.
func (c *Client) report(ctx context.Context, updates *rpc.Client) error {
	c.due() // whatever was not reported to an earlier server
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.reports:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reportInterval):
		}
		var list []*api.Allocation
		var told []*alloc
		for _, a := range c.all() {
			if r := a.unreported(); r != nil {
				list, told = append(list, r), append(told, a)
			}
		}
		if len(list) == 0 {
			continue
		}
		if err := updates.Call("Node.UpdateAlloc", standinrpc.UpdateAllocRequest{Request: c.request(), Alloc: list},
			&standinrpc.Reply{}); err != nil {
			return fmt.Errorf("report allocations: %w", err)
		}
		for i, a := range told {
			a.reported(list[i])
		}
	}
}

// due has the next report made.
func (c *Client) due() {
	select {
	case c.reports <- struct{}{}:
	default:
	}
}
