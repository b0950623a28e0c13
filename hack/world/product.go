package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// starter is the environment, as far as product needs it.
type starter interface {
	InstallProduct(ctx context.Context) error
	StartPrometheus(ctx context.Context, targets ...string) (*testenv.Prometheus, error)
	StartController(ctx context.Context, o testenv.ControllerOptions) (*testenv.Controller, error)
	StartAutoscaler(ctx context.Context, o testenv.AutoscalerOptions) (*nomad.Autoscaler, error)
	MetricsToken(ctx context.Context) (string, error)
}

// product is what runs of ours in the world.
type product struct {
	env starter
	out io.Writer
	// nomadAddr is the address of Nomad, and caFile has the CA of the certificate for metrics.
	nomadAddr, caFile string

	controller *testenv.Controller // nil with CONTROLLER=no
	autoscaler *nomad.Autoscaler
	prometheus string // its address, or empty
}

func (p *product) say(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format, args...) }

// install installs it, and starts it unless CONTROLLER=no.
func (p *product) install(ctx context.Context) error {
	if os.Getenv("CONTROLLER") == "no" {
		return p.env.InstallProduct(ctx)
	}
	if isYes("PROMETHEUS") {
		prometheus, err := p.env.StartPrometheus(ctx, strings.TrimPrefix(p.nomadAddr, "http://"))
		if err != nil {
			return err
		}
		p.prometheus = prometheus.Addr
		p.say("prometheus runs, at %s\n", p.prometheus)
	}
	return p.start(ctx)
}

// start starts it, or starts it again: with tokens of accounts that may be new.
func (p *product) start(ctx context.Context) error {
	if p.controller != nil {
		if err := p.controller.Stop(); err != nil {
			return err
		}
	}
	var err error
	if p.controller, err = p.env.StartController(ctx, testenv.ControllerOptions{}); err != nil {
		return err
	}
	p.say("controller runs, log in %s, metrics at %s\n", p.controller.Spec.LogFile, p.controller.MetricsURL)
	if _, err := p.env.MetricsToken(ctx); err != nil {
		return err
	}
	p.say("  to read these: curl --cacert %s -H \"Authorization: Bearer $(kubectl create token -n default %s)\" %s\n",
		p.caFile, testenv.MetricsAccount, p.controller.MetricsURL)
	if p.autoscaler != nil {
		if err := p.autoscaler.Stop(); err != nil {
			return err
		}
	}
	if p.autoscaler, err = p.env.StartAutoscaler(ctx,
		testenv.AutoscalerOptions{PrometheusAddr: p.prometheus}); err != nil {
		return err
	}
	p.say("autoscaler runs, log in %s\n  give it policies (docs/autoscaler.md): put them into %s, then kill -HUP %d\n",
		p.autoscaler.LogFile, p.autoscaler.PolicyDir, p.autoscaler.Process().Pid())
	if p.prometheus == "" {
		p.say("  policies that ask Prometheus (config/autoscaler/from-zero.hcl) need PROMETHEUS=yes make world\n")
	}
	return nil
}

// watch tells when the controller ends, as it does when the installation is deleted, and starts it again at SIGUSR1
// (SIGHUP is a terminal that goes).
func (p *product) watch(ctx context.Context) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGUSR1)
	defer signal.Stop(again)
	ended := p.ended()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ended:
			ended = nil
			p.say("\nThe controller has ended; nobody looks after pools. Its log is %s, and its last line\n  %s\n"+
				"To have it again, and the autoscaler: kubectl apply -k config/default && kill -USR1 %d\n",
				p.controller.Spec.LogFile, p.controller.Process().Tail(1), os.Getpid())
		case <-again:
			if err := p.start(ctx); err != nil {
				p.say("they don't start: %v\n", err)
			}
			ended = p.ended()
		}
	}
}

// ended is closed when the controller ends; nil: there is none.
func (p *product) ended() <-chan struct{} {
	if p.controller == nil || p.controller.Process() == nil {
		return nil
	}
	return p.controller.Process().Done()
}
