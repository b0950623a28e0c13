package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/drainer"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// Server is a running server.
type Server struct {
	config  Config
	log     hclog.Logger
	store   *state.Store
	keyring *acl.Keyring
	// Events is the event broker.
	Events *Broker

	work    work
	beats   heartbeats
	locks   locks
	cluster cluster
	clients clients

	mu       sync.Mutex // guards those below
	drainer  drainer.Drainer
	unplaced map[string]unplaced // by job key

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// New makes a server, with the state that an earlier one left in DataDir. Start makes it work.
func New(c Config) (*Server, error) {
	c.defaults()
	s := &Server{config: c, log: c.Logger, Events: NewBroker(c.EventBufferSize), unplaced: map[string]unplaced{}}
	var err error
	if c.DataDir == "" {
		if s.store, err = state.New(); err != nil {
			return nil, err
		}
		s.keyring, err = acl.NewKeyring()
	} else {
		if s.store, err = state.Open(filepath.Join(c.DataDir, "server")); err != nil {
			return nil, err
		}
		s.keyring, err = acl.LoadKeyring(filepath.Join(c.DataDir, "server", "keystore"))
	}
	if err != nil {
		return nil, err
	}
	s.drainer.Quirks = c.Quirks
	s.work.init()
	s.beats.init()
	s.locks.init()
	s.cluster.init(s)
	s.clients.init()
	return s, nil
}

// Start begins to lead or to join, to schedule and to drain, and returns at once. All ends with ctx.
func (s *Server) Start(ctx context.Context) error {
	ctx, s.cancel = context.WithCancel(ctx)
	if len(s.config.RetryJoin) > 0 {
		s.goOn(func() { s.cluster.join(ctx) })
		if s.config.BootstrapExpect == 0 { // else it leads its own region, and joins others
			return s.cluster.listen(ctx)
		}
	}
	if err := s.makeDefaults(); err != nil {
		return err
	}
	s.store.OnCommit = s.committed
	s.cluster.lead(s.cluster.self.ID, time.Now())
	s.goOn(func() { s.loop(ctx) })
	return s.cluster.listen(ctx)
}

func (s *Server) goOn(f func()) {
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		f()
	}()
}

// makeDefaults makes what a cluster has before anybody asks for it.
func (s *Server) makeDefaults() error {
	_, err := s.store.Write(func(tx *state.Txn) error {
		if state.Namespaces.Get(tx, api.DefaultNamespace) == nil {
			state.Namespaces.Put(tx, &api.Namespace{Name: api.DefaultNamespace, Description: "Default shared namespace"})
		}
		for name, description := range map[string]string{
			api.NodePoolDefault: "Node pool with all nodes that did not declare a node pool",
			api.NodePoolAll:     "Node pool with all nodes in the cluster",
		} {
			if state.NodePools.Get(tx, name) == nil {
				state.NodePools.Put(tx, &api.NodePool{Name: name, Description: description})
			}
		}
		return nil
	})
	return err
}

// Stop ends the server and waits for its end.
func (s *Server) Stop() error {
	if s.cancel != nil {
		s.cancel()
	}
	s.done.Wait()
	return s.store.Close()
}

// Config is what the server was made with, defaults filled in.
func (s *Server) Config() Config { return s.config }

// Store is the state: HTTP reads from it, and writes what needs no more than that (ACLs).
func (s *Server) Store() *state.Store { return s.store }

// Keyring signs identities.
func (s *Server) Keyring() *acl.Keyring { return s.keyring }

// Snapshot writes all of the state, Restore takes it back: indexes may go back then.
func (s *Server) Snapshot(w io.Writer) error { return s.store.Save(w) }

// Restore replaces the state by a snapshot.
func (s *Server) Restore(r io.Reader) error {
	err := s.store.Restore(r)
	s.restart(time.Now())
	return err
}

// newID makes the ID of an object.
func newID() string { return uuid.NewString() }

// serverID is that of a server of this name in raft: the same after a restart.
func serverID(region, name string) string {
	sum := sha256.Sum256([]byte(region + "\x00" + name))
	id, err := uuid.FromBytes(sum[:16])
	if err != nil {
		return name
	}
	return id.String()
}

// write changes the state if there is a leader.
func (s *Server) write(change func(*state.Txn) error) (uint64, error) {
	if err := s.Writable(); err != nil {
		return 0, err
	}
	return s.store.Write(change)
}

// IntroToken signs a client introduction token.
func (s *Server) IntroToken(r api.ACLIdentityClientIntroductionTokenRequest) (string, error) {
	if err := s.Writable(); err != nil {
		return "", err
	}
	return s.keyring.Introduce(s.config.Region, r.NodeName, r.NodePool, time.Now(), s.config.Introduction.TTL(r.TTL))
}

var errNothing = errors.New("nothing changes")

// quietly takes the error of a change that turned out to be none for success.
func quietly(err error) error {
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

func invalid(format string, args ...any) error {
	return Errorf(500, "%s", fmt.Sprintf(format, args...))
}
