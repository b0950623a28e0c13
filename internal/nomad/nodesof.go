package nomad

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/nomad/api"
)

// MaxNodesOf is how many nodes that say they are one member are read at most: its guest is one of them, or two, and
// whoever may register clients can have any number say so.
const MaxNodesOf = 20

// nodesOf lists the nodes whose meta names the member, and that aren't down: a guest that loses its data directory with
// each start leaves one each time. Only the leader answers.
func (r *remote) nodesOf(ctx context.Context, poolUID, member string) ([]Node, error) {
	filter := fmt.Sprintf(`Status != %q and %q in Meta and Meta[%q] == %q and Meta[%q] == %q`, NodeDown, MetaPoolUID,
		MetaPoolUID, poolUID, MetaMember, member)
	var out []Node
	err := r.query(ctx, "list the nodes of member "+member, api.QueryOptions{Filter: filter},
		func(q *api.QueryOptions) error {
			h := holding{holdingOf: holdingOf{free: math.MaxInt64, most: MaxNodesOf, full: errTooManyNodes}}
			_, err := items(r, "/v1/nodes", q, maxItem, maxItemTokens, func(stub *api.NodeListStub) error {
				if !nodeIDPattern.MatchString(stub.ID) { // as in listNodes
					return nil
				}
				n := nodeFromStub(stub)
				if err := h.add(n.texts()...); err != nil {
					return err
				}
				out = append(out, n)
				return nil
			})
			return err
		})
	if errors.Is(err, errTooManyNodes) { // which shows enough
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}
