// Command world runs the test environment for people: `make world`. It starts everything on loopback, with our
// controller and an autoscaler unless CONTROLLER=no, writes .world/env for shells to source, and ends all of it at
// Ctrl-C.
//
// `make help` lists its settings, which it reads from the environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	o, err := options(out)
	if err != nil {
		return err
	}
	dir, err := claim(".world")
	if err != nil {
		return err
	}
	o.Dir = filepath.Join(dir, "data")
	env := filepath.Join(dir, "env")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	nomad, err := binaries.FindNomad(ctx, out)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, nomad)
	tools, err := binaries.Ensure(
		ctx,
		out,
		append(binaries.Demo(), binaries.Kubectl)...) // all at once, so that what they share is compiled once
	if err != nil {
		return err
	}
	w, err := testenv.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		_, _ = fmt.Fprintln(out, "ending the world…")
		err = errors.Join(err, w.Stop())
	}()
	p := &product{env: w, out: out, nomadAddr: w.NomadAddr, caFile: w.Kube.CA.File}
	if err := p.install(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(env, []byte(environment(w, tools[binaries.Kubectl])), 0o600); err != nil {
		return err
	}
	explain(out, w, env)
	p.watch(ctx)
	return nil
}

// options reads the settings from the environment.
func options(out io.Writer) (testenv.Options, error) {
	o := testenv.Options{
		Progress: out,
		ACL:      isYes("ACL"), TLS: isYes("TLS"),
		Introduction: os.Getenv("INTRODUCTION"),
		Guest:        hypervisor.GuestKind(os.Getenv("GUEST")),
	}
	if o.TLS && isYes("PROMETHEUS") {
		return o, errNoCertificate
	}
	if hosts := os.Getenv("HOSTS"); hosts != "" {
		var err error
		if o.Hosts, err = strconv.Atoi(hosts); err != nil {
			return o, fmt.Errorf("HOSTS: %w", err)
		}
	}
	return o, nil
}

var errNoCertificate = errors.New(
	"PROMETHEUS and TLS don't go together here: Nomad's servers would ask Prometheus for a certificate")

func isYes(name string) bool { return os.Getenv(name) == "yes" }

// claim makes the directory for this run and locks it against another one; what a killed one left behind
// is removed.
func claim(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	// Held until this process ends.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return "", fmt.Errorf("another world runs in %s: %w", dir, err)
	}
	return dir, errors.Join(os.RemoveAll(filepath.Join(dir, "data")), os.RemoveAll(filepath.Join(dir, "env")))
}

// environment is what a shell needs to use the world.
func environment(w *testenv.Environment, kubectl string) string {
	var b strings.Builder
	set := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
		}
	}
	set("KUBECONFIG", w.Kubeconfig)
	set("NOMAD_ADDR", w.NomadAddr)
	set("NOMAD_TOKEN", w.NomadToken)
	set("NOMAD_CACERT", w.NomadServer.CACert)
	set("NOMAD_CLIENT_CERT", w.NomadServer.ClientCert)
	set("NOMAD_CLIENT_KEY", w.NomadServer.ClientKey)
	set("NOMAD_RPC", w.NomadServer.RPCAddr)
	fmt.Fprintf(&b, "export PATH=%s:%s:\"$PATH\"\n", quote(filepath.Dir(kubectl)),
		quote(filepath.Dir(w.Program(binaries.Nomad))))
	return b.String()
}

// quote makes one word of a value for a POSIX shell.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

func explain(out io.Writer, w *testenv.Environment, env string) {
	_, _ = fmt.Fprintf(out, `
The world is up. In another shell:

  . %s
  kubectl apply -f config/samples/minimal.yaml
  kubectl get nnp,nn,vm,vmi,pvc -n %s
  nomad job run -json config/samples/jobs/batch-sleep.json
  nomad node status

Pools can use image %s, network %s, SSH key %s and servers ["%s"],
which the guests know as %s too. The stand-in for Nomad takes jobs as JSON alone.
Logs are in %s. Ctrl-C ends everything.
`, env, fixtures.Namespace, fixtures.Image, fixtures.Network, fixtures.KeyPair, w.NomadServer.RPCAddr,
		testenv.NomadName,
		filepath.Join(w.Dir, "logs"))
}
