package server

import (
	"github.com/hashicorp/nomad/api"
)

// DrainRequest is what PUT /v1/node/:id/drain asks for.
type DrainRequest struct {
	NodeID string
	// Spec is nil to cancel.
	Spec         *api.DrainSpec
	MarkEligible bool
	Meta         map[string]string
	// AccessorID is who asks, as "token:<accessor>" or "client:<id>".
	AccessorID string
}

// NodeUpdate is what a change of a node led to.
type NodeUpdate struct {
	Index           uint64
	NodeModifyIndex uint64
	EvalIDs         []string
	EvalCreateIndex uint64
}

// UpdateDrain starts, changes or cancels a drain. Each call counts the deadline anew (facts/nomad.md §2).
func (s *Server) UpdateDrain(r DrainRequest) (NodeUpdate, error) { return NodeUpdate{}, nil }

// ToggleEligibility makes a node eligible or not.
func (s *Server) ToggleEligibility(nodeID string, eligible bool) (NodeUpdate, error) {
	return NodeUpdate{}, nil
}

// PurgeNode removes a node; its allocations are lost.
func (s *Server) PurgeNode(nodeID string) (NodeUpdate, error) { return NodeUpdate{}, nil }

// EvaluateNode has the jobs with allocations on the node evaluated.
func (s *Server) EvaluateNode(nodeID string) (NodeUpdate, error) { return NodeUpdate{}, nil }

// UpsertNodePool creates or changes a node pool.
func (s *Server) UpsertNodePool(pool *api.NodePool) (uint64, error) { return 0, nil }

// DeleteNodePool removes a node pool that nothing uses.
func (s *Server) DeleteNodePool(name string) (uint64, error) { return 0, nil }

// UpsertNamespace creates or changes a namespace.
func (s *Server) UpsertNamespace(n *api.Namespace) (uint64, error) { return 0, nil }

// DeleteNamespace removes a namespace that nothing uses.
func (s *Server) DeleteNamespace(name string) (uint64, error) { return 0, nil }

// CollectGarbage removes what has ended, however young (PUT /v1/system/gc).
func (s *Server) CollectGarbage() error { return nil }

// IntroToken signs a client introduction token.
func (s *Server) IntroToken(r api.ACLIdentityClientIntroductionTokenRequest) (string, error) {
	return "", nil
}
