package controllers

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/nomad-harvester/nomad-harvester/internal/authmethod"
)

// authMethodTimeout bounds the two requests to the API server.
const authMethodTimeout = 30 * time.Second

// PrintAuthMethod is the command that writes the configuration of the auth method in Nomad to which the controller
// logs in.
func PrintAuthMethod(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("nomad-auth-method", flag.ContinueOnError)
	kubeconfig := fs.String("kubeconfig", "", "path of a kubeconfig; unset: $KUBECONFIG, or that of kubectl")
	audience := fs.String("audience", "nomad", "audience of the token that the controller logs in with")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = *kubeconfig
	rc, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("--kubeconfig: %w", err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(rc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, authMethodTimeout)
	defer cancel()
	issued, err := client.RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("asking the API server who issues its ServiceAccounts' tokens: %w", err)
	}
	keys, err := client.RESTClient().Get().AbsPath("/openid/v1/jwks").DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("asking the API server for the keys of its ServiceAccounts' tokens: %w", err)
	}
	text, err := authmethod.Config(issued, keys, *audience)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}
