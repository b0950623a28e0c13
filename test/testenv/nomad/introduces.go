package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/hashicorp/nomad/api"
)

// Introduces asks the server whether it gives introduction tokens, which not every Nomad does.
func (s *Server) Introduces(ctx context.Context) (bool, error) {
	request := &api.ACLIdentityClientIntroductionTokenRequest{NodeName: "anybody"}
	_, _, err := s.Client.ACLIdentity().CreateClientIntroductionToken(request, (&api.WriteOptions{}).WithContext(ctx))
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) && answer.StatusCode() == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

var introducing sync.Map // of paths to whether the program at it introduces

// Introduces tells whether servers of this program give introduction tokens, and so know ServerOptions.Introduction.
// Only a running server can tell, so the first call for a program starts one.
func Introduces(ctx context.Context, bin string) (_ bool, err error) {
	if known, ok := introducing.Load(bin); ok {
		return known.(bool), nil
	}
	dir, err := os.MkdirTemp("", "nomad-introduces-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := StartServer(ctx, ServerOptions{Bin: bin, Dir: dir, ACL: true})
	if err != nil {
		return false, fmt.Errorf("asking %s for introduction tokens: %w", bin, err)
	}
	introduces, err := server.Introduces(ctx)
	if err = errors.Join(err, server.Stop()); err == nil {
		introducing.Store(bin, introduces)
	}
	return introduces, err
}
