package nomad

import (
	"context"
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// maxNodesOf bounds how many nodes that say they are one member are read: its guest is one of them, or two, and whoever
// may register clients can have any number say so.
const maxNodesOf = 100

// nodesOf lists the nodes whose meta names the member. Only the leader answers.
func (r *remote) nodesOf(ctx context.Context, poolUID, member string) ([]Node, error) {
	filter := fmt.Sprintf(`%q in Meta and Meta[%q] == %q and Meta[%q] == %q`, MetaPoolUID, MetaPoolUID, poolUID,
		MetaMember, member)
	var out []Node
	err := r.query(ctx, "list the nodes of member "+member, api.QueryOptions{Filter: filter},
		func(q *api.QueryOptions) error {
			var k keptBytes
			_, err := items(r, "/v1/nodes", q, maxItem, maxItemTokens, func(stub *api.NodeListStub) error {
				switch {
				case !nodeIDPattern.MatchString(stub.ID): // as in listNodes
					return nil
				case len(out) == maxNodesOf:
					return errTooManyNodes
				}
				n := nodeFromStub(stub)
				out = append(out, n)
				return k.add(n.texts()...)
			})
			return err
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}
