// Command uicheck goes through the list of what Harvester wants of a VM, for the live VM of a member, and prints ✓ or
// ✗ for each row. It exits with 1 if a row fails.
//
//	go run ./hack/uicheck [namespace/]vm
//
// It uses KUBECONFIG, or without it the embedded test environment that `make world` has left running.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
)

// envFile is what `make world` writes.
const envFile = ".world/env"

const usage = "usage: go run ./hack/uicheck [namespace/]vm; the namespace is nomad-clients if it is left out"

// errWrong is the outcome of a list with a ✗, which has been printed.
var errWrong = errors.New("not as Harvester wants it")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "uicheck:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	switch {
	case len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]):
		_, err := fmt.Fprintln(out, usage)
		return err
	case len(args) != 1 || strings.HasPrefix(args[0], "-"):
		return errors.New(usage)
	}
	key := client.ObjectKey{Namespace: "nomad-clients", Name: args[0]}
	if namespace, name, ok := strings.Cut(args[0], "/"); ok {
		key = client.ObjectKey{Namespace: namespace, Name: name}
	}
	c, err := connect()
	if err != nil {
		return err
	}
	subject, err := read(ctx, c, key)
	if err != nil {
		return err
	}
	return report(out, key, checklist.Check(subject))
}

func connect() (client.Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if os.Getenv("KUBECONFIG") == "" {
		if path := testenvKubeconfig(); path != "" {
			rules.ExplicitPath = path
		}
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to look at: %w; run make world, or set KUBECONFIG", err)
	}
	scheme, err := kinds()
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// kinds are those that are read by their Go types.
func kinds() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), kubevirtv1.AddToScheme(scheme),
		v1alpha1.AddToScheme(scheme))
}

var kubeconfigLine = regexp.MustCompile(`(?m)^export KUBECONFIG='?([^'\n]+)'?$`)

// testenvKubeconfig is empty if no test environment runs here.
func testenvKubeconfig() string {
	env, err := os.ReadFile(envFile)
	if err != nil {
		return ""
	}
	if found := kubeconfigLine.FindSubmatch(env); found != nil {
		return string(found[1])
	}
	return ""
}

func report(out io.Writer, vm client.ObjectKey, rows []checklist.Row) error {
	failed := 0
	for _, row := range rows {
		mark, wrong := "✓", ""
		if row.Wrong != "" {
			mark, wrong = "✗", ": "+row.Wrong
			failed++
		}
		if _, err := fmt.Fprintf(out, "%s %2d %s%s\n", mark, row.Number, row.Demand, wrong); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s: %d of %d rows: %w", vm, failed, len(rows), errWrong)
	}
	return nil
}
