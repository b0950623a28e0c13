package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

var operatorRoutes = map[string]methods{
	"/v1/operator/raft/configuration":       {get: raftConfiguration},
	"/v1/operator/raft/transfer-leadership": {put: transferLeadership},
	"/v1/operator/autopilot/health":         {get: autopilotHealth},
	"/v1/operator/autopilot/configuration":  {get: autopilotConfiguration},
	"/v1/operator/scheduler/configuration":  {get: schedulerConfiguration, put: configureScheduler},
	"/v1/operator/snapshot":                 {get: saveSnapshot, put: restoreSnapshot},
}

func raftConfiguration(c *call) (any, error) {
	if err := need(c.may.IsManagement()); err != nil {
		return nil, err
	}
	out := api.RaftConfiguration{Servers: []*api.RaftServer{}}
	for _, p := range c.api.server.Peers() {
		out.Servers = append(out.Servers, &api.RaftServer{
			ID: p.ID, Node: p.Name, Address: p.RPCAddr, Leader: p.Leader, Voter: p.Voter, RaftProtocol: "3",
		})
	}
	return out, nil
}

func transferLeadership(c *call) (any, error) {
	if err := need(c.may.IsManagement()); err != nil {
		return nil, err
	}
	id, address := c.q.values.Get("id"), c.q.values.Get("address")
	if (id == "") == (address == "") {
		return nil, badRequest("must specify one of ?id with the server's ID or ?address with the server's address")
	}
	for _, p := range c.api.server.Peers() {
		if p.ID == id || p.RPCAddr == address {
			return api.LeadershipTransferResponse{
				To: api.RaftServer{ID: p.ID, Address: p.RPCAddr},
			}, c.api.server.TransferLeadership(p.ID)
		}
	}
	return nil, badRequest("id %q was not found in the Raft configuration", id+address)
}

func autopilotHealth(c *call) (any, error) {
	if err := need(c.may.AllowOperatorRead()); err != nil {
		return nil, err
	}
	out := api.OperatorHealthReply{Healthy: c.api.server.Leader() != ""}
	for _, p := range c.api.server.Peers() {
		out.Servers = append(out.Servers, api.ServerHealth{
			ID: p.ID, Name: p.Name, Address: p.RPCAddr, SerfStatus: "alive", Version: server.Version,
			Leader: p.Leader, Healthy: true, Voter: p.Voter,
		})
		if p.Leader {
			out.Leader = p.ID
		}
		if p.Voter {
			out.Voters = append(out.Voters, p.ID)
		}
	}
	out.FailureTolerance = max(0, (len(out.Voters)-1)/2)
	return out, nil
}

func autopilotConfiguration(c *call) (any, error) {
	if err := need(c.may.AllowOperatorRead()); err != nil {
		return nil, err
	}
	return &api.AutopilotConfiguration{CleanupDeadServers: true, MaxTrailingLogs: 250}, nil
}

// SchedulerSetting is the name under which the configuration of the scheduler is kept.
const SchedulerSetting = "scheduler-config"

// defaultScheduler is what Nomad begins with.
func defaultScheduler() *api.SchedulerConfiguration {
	return &api.SchedulerConfiguration{
		SchedulerAlgorithm: api.SchedulerAlgorithmBinpack,
		PreemptionConfig:   api.PreemptionConfig{SystemSchedulerEnabled: true},
	}
}

func schedulerConfiguration(c *call) (any, error) {
	if err := need(c.may.AllowOperatorRead()); err != nil {
		return nil, err
	}
	return read(c, func(s *state.Snapshot) (uint64, *api.SchedulerConfigurationResponse, error) {
		config := defaultScheduler()
		index := s.Index(state.Settings.Name)
		if set := state.Settings.Get(s, SchedulerSetting); set != nil {
			if err := json.Unmarshal(set.Value, config); err != nil {
				return index, nil, err
			}
			config.CreateIndex, config.ModifyIndex = set.CreateIndex, set.ModifyIndex
		}
		return index, &api.SchedulerConfigurationResponse{SchedulerConfig: config}, nil
	})
}

func configureScheduler(c *call) (any, error) {
	if err := need(c.may.AllowOperatorWrite()); err != nil {
		return nil, err
	}
	config := defaultScheduler()
	if err := c.decode(config); err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	return c.wrote(api.SchedulerSetConfigurationResponse{Updated: true}, func(tx *state.Txn) error {
		state.Settings.Put(tx, &state.Setting{Name: SchedulerSetting, Value: text})
		return nil
	})
}

// saveSnapshot sends all of the state, with the digest that nomad/api checks.
func saveSnapshot(c *call) (any, error) {
	if err := need(c.may.IsManagement()); err != nil {
		return nil, err
	}
	var all bytes.Buffer
	if err := c.api.server.Snapshot(&all); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(all.Bytes())
	c.w.Header().Set("Digest", "sha-256="+base64.StdEncoding.EncodeToString(sum[:]))
	c.setMeta(max(c.api.server.Store().Read().Index(), 1))
	return raw{"application/octet-stream", all.Bytes()}, nil
}

func restoreSnapshot(c *call) (any, error) {
	if !c.may.IsManagement() {
		return nil, acl.ErrPermissionDenied
	}
	if err := c.api.server.Restore(c.r.Body); err != nil {
		return nil, fail(http.StatusInternalServerError, "failed to restore from snapshot: %v", err)
	}
	c.setIndex(max(c.api.server.Store().Read().Index(), 1))
	return nil, nil
}
