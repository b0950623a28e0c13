package nomad

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/nomad/api"
)

// quorum is how many servers a cluster has that can lose its leader and go on.
const quorum = 3

// LoseLeadership makes the server that leads give way to another one, as a failing leader would, and returns when the
// new one leads. The first call adds two servers to the cluster. Addr stays valid: its server forwards to the leader.
func (s *Server) LoseLeadership(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for len(s.peers) < quorum-1 {
		if err := s.addPeer(ctx); err != nil {
			return fmt.Errorf("add a nomad server: %w", err)
		}
	}
	voters, err := s.voters(ctx)
	if err != nil {
		return err
	}
	var next string
	for _, v := range voters {
		if !v.Leader {
			next = v.ID
		}
	}
	if err := s.Client.Operator().RaftTransferLeadershipByID(next, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		return fmt.Errorf("transfer leadership: %w", err)
	}
	return s.until(ctx, func() error {
		voters, err := s.voters(ctx)
		for _, v := range voters {
			if v.ID == next && v.Leader {
				return s.leads(ctx)
			}
		}
		return errors.Join(errors.New("no new leader"), err)
	})
}

// addPeer starts one more server and returns when it has a vote.
func (s *Server) addPeer(ctx context.Context) error {
	config := s.config
	config.Name = fmt.Sprintf("server-%d", len(s.peers)+2)
	config.Dir = filepath.Join(s.config.Dir, config.Name)
	config.Join, config.Leads = s.serfAddress(), false
	if err := config.freePorts(); err != nil {
		return err
	}
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(config.Dir, "server.hcl")
	if err := config.write(file); err != nil {
		return err
	}
	peer := serverProcess(s.options.Bin, file, config.Name, nil)
	if err := peer.Start(ctx); err != nil {
		return err
	}
	s.peers = append(s.peers, peer)
	return s.until(ctx, func() error {
		voters, err := s.voters(ctx)
		if err == nil && len(voters) <= len(s.peers) {
			err = fmt.Errorf("%s has no vote yet", config.Name)
		}
		return err
	})
}

func (s *Server) voters(ctx context.Context) ([]*api.RaftServer, error) {
	raft, err := s.Client.Operator().RaftGetConfiguration((&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the raft configuration: %w", err)
	}
	var voters []*api.RaftServer
	for _, server := range raft.Servers {
		if server.Voter {
			voters = append(voters, server)
		}
	}
	return voters, nil
}

// until asks again and again until there is no error, or the context ends.
func (s *Server) until(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}
