// Command demo shows the main job in an embedded test environment, start to end. It exits with 0 only if all of it
// happened.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/nomad-harvester/nomad-harvester/test/scenario"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo: failed:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	nomad, err := binaries.FindNomad(ctx, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Println(nomad)
	fmt.Println(
		"demo: starting Kubernetes, KubeVirt, Harvester and Nomad on loopback; building them the first time takes about half an hour")
	// All at once, so that what they share is compiled once.
	if _, err := binaries.Ensure(ctx, os.Stdout, binaries.Demo()...); err != nil {
		return err
	}
	w, err := testenv.Start(ctx, testenv.Options{ACL: true, Progress: os.Stdout})
	if err != nil {
		return err
	}
	var summary scenario.Summary
	if _, err = w.StartController(ctx, testenv.ControllerOptions{}); err == nil {
		summary, err = scenario.Play(ctx, w, os.Stdout, term.IsTerminal(int(os.Stdout.Fd())))
	}
	if stopErr := w.Stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return err
	}
	fmt.Println(summary)
	return nil
}
