package httpapi

import (
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

var agentRoutes = map[string]methods{
	"/v1/agent/self":    {get: agentSelf},
	"/v1/agent/members": {get: agentMembers},
	"/v1/agent/servers": {get: agentServers},
	"/v1/agent/health":  {get: agentHealth, local: true},
	"/v1/status/leader": {get: statusLeader, open: true},
	"/v1/status/peers":  {get: statusPeers, open: true},
	"/v1/regions":       {get: regions, open: true},
	"/v1/system/gc":     {put: collectGarbage},
	"/v1/metrics":       {get: metrics, open: true},
}

func (a *API) member(p server.Peer) *api.AgentMember {
	config := a.server.Config()
	host, port, err := net.SplitHostPort(p.SerfAddr)
	if err != nil {
		host, port = p.SerfAddr, "0"
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		number = 0
	}
	_, rpcPort, err := net.SplitHostPort(p.RPCAddr)
	if err != nil {
		rpcPort = "0"
	}
	return &api.AgentMember{
		Name: p.Name, Addr: host, Port: uint16(number), Status: "alive",
		Tags: map[string]string{
			"role": "nomad", "region": p.Region, "dc": config.Datacenter, "build": server.Version, "id": p.ID, "port": rpcPort,
			"rpc_addr": p.RPCAddr, "raft_vsn": "3", "vsn": "1", "bootstrap": "1",
		},
		ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2, DelegateMin: 2, DelegateMax: 5, DelegateCur: 4,
	}
}

func agentSelf(c *call) (any, error) {
	if err := need(c.may.AllowAgentRead()); err != nil {
		return nil, err
	}
	config := c.api.server.Config()
	out := api.AgentSelf{
		Config: map[string]any{
			"Name": config.Name, "Region": config.Region, "Datacenter": config.Datacenter, "DataDir": config.DataDir,
			"Version": map[string]any{"Version": server.Version, "VersionPrerelease": "", "VersionMetadata": "standin"},
			"ACL":     map[string]any{"Enabled": c.api.options.ACL},
			"Server":  map[string]any{"Enabled": true, "BootstrapExpect": config.BootstrapExpect},
			"Client":  map[string]any{"Enabled": false},
		},
		Stats: map[string]map[string]string{"nomad": {
			"server": "true", "leader": strconv.FormatBool(c.api.server.IsLeader()), "leader_addr": c.api.server.Leader(),
			"known_regions": strconv.Itoa(len(c.api.server.Regions())), "bootstrap": "true",
		}},
	}
	for key, v := range c.api.options.Agent {
		out.Config[key] = v
	}
	for _, p := range c.api.server.Peers() {
		if p.Name == config.Name+"."+config.Region {
			out.Member = *c.api.member(p)
		}
	}
	return out, nil
}

func agentMembers(c *call) (any, error) {
	if err := need(c.may.AllowNodeRead()); err != nil {
		return nil, err
	}
	config := c.api.server.Config()
	out := api.ServerMembers{ServerName: config.Name, ServerRegion: config.Region, ServerDC: config.Datacenter,
		Members: []*api.AgentMember{}}
	for _, p := range append(c.api.server.Peers(), c.api.server.Federated()...) {
		out.Members = append(out.Members, c.api.member(p))
	}
	return out, nil
}

func agentServers(c *call) (any, error) {
	if err := need(c.may.AllowAgentRead()); err != nil {
		return nil, err
	}
	return c.peerAddresses(), nil
}

func (c *call) peerAddresses() []string {
	out := []string{}
	for _, p := range c.api.server.Peers() {
		out = append(out, p.RPCAddr)
	}
	return out
}

// agentHealth is asked for without a token, by load balancers.
func agentHealth(c *call) (any, error) {
	if c.api.server.Forward() == "" && c.api.server.Leader() == "" {
		return nil, fail(http.StatusInternalServerError, `{"server":{"ok":false,"message":"No cluster leader"}}`)
	}
	return api.AgentHealthResponse{Server: &api.AgentHealth{Ok: true, Message: "ok"}}, nil
}

// statusLeader is empty, and no error, while nobody leads.
func statusLeader(c *call) (any, error) { return c.api.server.Leader(), nil }

func statusPeers(c *call) (any, error) { return c.peerAddresses(), nil }

func regions(c *call) (any, error) {
	out := keysOf(c.api.server.Regions())
	slices.Sort(out)
	return out, nil
}

// collectGarbage needs a management token (facts/nomad.md §2).
func collectGarbage(c *call) (any, error) {
	if err := need(c.may.IsManagement()); err != nil {
		return nil, err
	}
	return nil, c.api.server.CollectGarbage()
}
