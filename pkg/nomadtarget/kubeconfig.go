package nomadtarget

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// fromKubeconfig reads one file, or a list of them as kubectl does.
func fromKubeconfig(kubeconfig, context found) (*rest.Config, error) {
	if strings.Contains(kubeconfig.value, "\n") {
		return nil, fmt.Errorf("%s: holds several lines, perhaps the kubeconfig itself; use the path of a kubeconfig file",
			kubeconfig.name)
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig.value}
	if paths := filepath.SplitList(kubeconfig.value); len(paths) > 1 {
		rules = &clientcmd.ClientConfigLoadingRules{Precedence: paths}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: context.value}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	for _, path := range rules.GetLoadingPrecedence() {
		// As kubectl does it, some of a list may be missing. Rancher's tokens have a colon, and look like a list of two.
		mayMiss := rules.ExplicitPath == "" && filepath.IsAbs(path)
		if _, err := os.Stat(path); err != nil && (!mayMiss || !errors.Is(err, fs.ErrNotExist)) {
			return nil, fmt.Errorf("%s: %s: %w; use the path of a readable kubeconfig file", kubeconfig.name, shownPath(path),
				cause(err))
		}
	}
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("%s: %w; use the path of a readable kubeconfig file", kubeconfig.name, err)
	}
	if err := checkContext(&raw, kubeconfig, context); err != nil {
		return nil, err
	}
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w; check its current context, cluster and user", kubeconfig.name, kubeconfig.value,
			err)
	}
	return cfg, safe(cfg, kubeconfig)
}

// safe is an error for a connection on which others could read or take the token.
func safe(cfg *rest.Config, kubeconfig found) error {
	if u, err := url.Parse(cfg.Host); err != nil || u.Scheme != "https" {
		return fmt.Errorf("%s: its server %q is not an https URL; use one that is", kubeconfig.name, redactedHost(cfg.Host))
	}
	if cfg.Insecure {
		return fmt.Errorf("%s: it has insecure-skip-tls-verify, so whoever answers in the place of %q would get the token; "+
			"put the certificates of that server into certificate-authority-data instead", kubeconfig.name,
			redactedHost(cfg.Host))
	}
	return nil
}

// runs is the program that a connection has run for its token; empty: none.
func runs(cfg *rest.Config) string {
	if cfg == nil || cfg.ExecProvider == nil {
		return ""
	}
	return cfg.ExecProvider.Command
}

func checkContext(raw *clientcmdapi.Config, kubeconfig, context found) error {
	wanted := cmp.Or(context.value, raw.CurrentContext)
	if _, ok := raw.Contexts[wanted]; ok {
		return nil
	}
	// Without this check clientcmd would fall back to the pod's service account, that is, to another cluster.
	return fmt.Errorf("context: %q is not in %s %q; set context to one that \"kubectl config get-contexts\" lists",
		wanted, kubeconfig.name, kubeconfig.value)
}

// shownPath is a path as it may be shown. One that isn't absolute may be a token in the place of a path.
func shownPath(path string) string {
	if filepath.IsAbs(path) {
		return fmt.Sprintf("%q", path)
	}
	return "(not shown: no absolute path, so perhaps a token)"
}

// cause is what went wrong with a file, without its path.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
