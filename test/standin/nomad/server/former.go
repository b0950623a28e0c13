package server

import (
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// Former is what the client of an allocation has to know of the one before, to fetch its data.
type Former struct {
	// Ended: it has ended, or is forgotten. Until then there is nothing to fetch.
	Ended bool
	// Address is where its node answers HTTP, with TLS or without; empty if that node is gone.
	Address string
	TLS     bool
	// Token opens its directory there.
	Token string
}

// Former looks for the allocation before another.
func (s *Server) Former(id string) Former {
	snapshot := s.store.Read()
	a := state.Allocs.Get(snapshot, id)
	if a == nil {
		return Former{Ended: true}
	}
	f := Former{Ended: state.Terminal(a) || a.ClientStatus == state.ClientUnknown}
	if n := state.Nodes.Get(snapshot, a.NodeID); n != nil {
		f.Address, f.TLS, f.Token = n.HTTPAddr, n.TLSEnabled, acl.MigrateToken(a.ID, n.SecretID)
	}
	return f
}

// isFetched reports if the next allocation may still fetch this one's data, so that its client has to keep it. Nomad's
// clients keep the directory of what has ended for longer, until they need the room.
func isFetched(s *state.Snapshot, a *api.Allocation) bool {
	if a.NextAllocation == "" || !state.DiskMigrates(a) {
		return false
	}
	next := state.Allocs.Get(s, a.NextAllocation)
	return next != nil && next.ClientStatus == state.ClientPending && !state.ServerTerminal(next)
}
