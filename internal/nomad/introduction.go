package nomad

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// maxToken is how many bytes an introduction token may have. It goes into the guest's user data.
const maxToken = 16 << 10

// introductionToken asks for a token. Servers before 1.11 don't know the path; among servers of several versions the
// leader refuses until all know it.
func (r *remote) introductionToken(ctx context.Context, name, nodePool string,
	ttl time.Duration) (string, bool, error) {
	var jwt string
	err := r.write(ctx, "make introduction token for "+name, func(w *api.WriteOptions) error {
		answer, _, err := r.api.ACLIdentity().CreateClientIntroductionToken(
			&api.ACLIdentityClientIntroductionTokenRequest{TTL: ttl, NodeName: name, NodePool: nodePool}, w)
		if err != nil {
			return err
		}
		if len(answer.JWT) > maxToken {
			return errNoResponse
		}
		jwt = answer.JWT
		return nil
	})
	code, body := statusOf(err)
	if code == http.StatusNotFound || strings.Contains(body, "all servers should be running version") {
		return "", false, nil
	}
	if err != nil {
		return "", true, err
	}
	return jwt, true, nil
}
