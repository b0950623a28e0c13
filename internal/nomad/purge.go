package nomad

import (
	"context"
	"errors"

	"github.com/hashicorp/nomad/api"
)

// purge removes the node from Nomad. The API takes query options for this write.
func (r *remote) purge(ctx context.Context, nodeID string) error {
	if err := checkNodeID(nodeID); err != nil {
		return err
	}
	err := r.query(ctx, "purge node "+nodeID, api.QueryOptions{}, func(q *api.QueryOptions) error {
		_, _, err := r.api.Nodes().Purge(nodeID, q)
		return err
	})
	if errors.Is(err, ErrNodeNotFound) {
		return nil
	}
	return err
}
