package simclient

import (
	"context"
	"fmt"
	"net/rpc"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

// session registers the node and plays it until something fails: the connection, or the server's time,
// as when the node was purged and has to register again.
func (c *Client) session(ctx context.Context, server string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work, ctx := errgroup.WithContext(ctx)
	conn, err := wire.Dial(ctx, server, c.options.TLS)
	if err != nil {
		return err
	}
	// Closing the connection also ends the calls under way in it.
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	beats, err := wire.Open(conn)
	if err != nil {
		return err
	}
	if err := c.register(beats); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	watch, err := wire.Open(conn)
	if err != nil {
		return err
	}
	reports, err := wire.Open(conn)
	if err != nil {
		return err
	}
	work.Go(func() error { return c.heartbeat(ctx, beats) })
	work.Go(func() error { return c.watchAllocations(ctx, watch, reports) })
	return work.Wait()
}

// call sends a request with what every request of a client has.
func (c *Client) call(client *rpc.Client, method string, request message) (message, error) {
	request["Region"] = c.options.Region
	if _, given := request["AuthToken"]; !given {
		request["AuthToken"] = c.authToken()
	}
	var reply map[string]any
	err := client.Call(method, request, &reply)
	return reply, err
}

// authToken is the identity, or what stood in for it before Nomad 1.11.
func (c *Client) authToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.identity != "" {
		return c.state.identity
	}
	return c.state.secret
}

func (c *Client) register(client *rpc.Client) error {
	c.mu.Lock()
	token, err := c.state.introduction(c.options)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	reply, err := c.call(client, "Node.Register", message{"Node": c.node(), "AuthToken": token})
	if err != nil {
		return err
	}
	identity := reply.text("SignedIdentity")
	if identity == "" {
		return nil // a server older than 1.11, or a node that keeps the identity it has
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.identity = identity
	return c.state.save(identityFile, identity)
}

// heartbeat reports the node ready as often as the server asks for.
func (c *Client) heartbeat(ctx context.Context, client *rpc.Client) error {
	for first := true; ; first = false {
		reply, err := c.call(client, "Node.UpdateStatus", message{"NodeID": c.state.id, "Status": "ready"})
		if err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		if first {
			c.options.Report(nil)
		}
		// A server without an opinion (the first beat after an election) says 0.
		ttl := max(time.Duration(reply.unsigned("HeartbeatTTL")), time.Second)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(ttl * 8 / 10):
		}
	}
}

// node is what the client registers. Without a network in host mode no allocation would ever be placed.
func (c *Client) node() message {
	o := c.options
	healthy := message{"Detected": true, "Healthy": true, "HealthDescription": "simulated"}
	return message{
		"ID": c.state.id, "SecretID": c.state.secret, "Name": o.Name, "Status": "initializing",
		"Datacenter": o.Datacenter, "NodePool": o.NodePool, "NodeClass": o.NodeClass, "Meta": o.Meta,
		"HTTPAddr": o.HTTPAddr,
		"Attributes": map[string]string{
			"kernel.name": "linux", "arch": "amd64", "cpu.arch": "amd64", "nomad.version": "1.11.3",
			"unique.hostname": o.Name, "driver.raw_exec": "1", "driver.mock_driver": "1",
		},
		"Drivers": map[string]message{"raw_exec": healthy, "mock_driver": healthy},
		"NodeResources": message{
			"Cpu":    message{"CpuShares": int64(o.CPUMHz), "TotalCpuCores": uint16(max(1, o.CPUMHz/1000))},
			"Memory": message{"MemoryMB": int64(o.MemoryMiB)},
			"Disk":   message{"DiskMB": int64(100_000)},
			"Networks": []message{
				{"Mode": "host", "Device": "lo", "CIDR": "127.0.0.1/32", "IP": "127.0.0.1", "MBits": 1000},
			},
			"NodeNetworks": []message{
				{"Mode": "host", "Device": "lo", "Speed": 1000,
					"Addresses": []message{{"Family": "ipv4", "Alias": "default", "Address": "127.0.0.1"}}},
			},
			"MinDynamicPort": 20000, "MaxDynamicPort": 32000,
		},
		"ReservedResources": message{"Cpu": message{}, "Memory": message{}, "Disk": message{}, "Networks": message{}},
	}
}
