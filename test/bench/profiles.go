package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// profileTime is how long the use of the CPU is profiled. What ends sooner leaves the rest of it without samples.
const profileTime = 20 * time.Second

// startController starts a controller that can be profiled.
func (b *bench) startController(ctx context.Context, o testenv.ControllerOptions) (err error) {
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	b.pprof = "http://" + address + "/debug/pprof/"
	o.Args = append(o.Args, "--leader-elect=false", "--pprof-bind-address="+address)
	b.controller, err = b.env.StartController(ctx, o)
	return err
}

// profileCPU profiles the controller from now on, if profiles are asked for. Whoever calls what it returns waits for
// the end of that.
func (b *bench) profileCPU(ctx context.Context, name string) func() error {
	if b.profiles == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		done <- b.await(ctx, "a profile", func(ctx context.Context) error { // it may just be starting
			return b.saveProfile(ctx, fmt.Sprintf("profile?seconds=%.0f", profileTime.Seconds()), name+"-cpu")
		})
	}()
	return func() error { return <-done }
}

// profileHeap writes what the controller has in its memory, if profiles are asked for.
func (b *bench) profileHeap(ctx context.Context, name string) error {
	if b.profiles == "" {
		return nil
	}
	return b.saveProfile(ctx, "heap?gc=1", name+"-heap")
}

// saveProfile writes what the controller answers into the directory for profiles.
func (b *bench) saveProfile(ctx context.Context, path, name string) error {
	answer, err := get(ctx, b.pprof+path)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	profile, err := io.ReadAll(answer)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.profiles, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.profiles, name+".pb.gz"), profile, 0o644)
}
