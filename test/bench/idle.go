package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// idleTime is for how long a pool at rest is watched.
const idleTime = time.Minute

// idle counts what the controller writes while nothing happens.
func (b *bench) idle(ctx context.Context) error {
	if !b.wants("P6") {
		return nil
	}
	const name = "idle"
	pool, err := b.runningPool(ctx, name)
	if err != nil {
		return err
	}
	sleep(ctx, 10*time.Second)
	before := len(b.env.APIFaults.Writes())
	sleep(ctx, idleTime)
	count := 0
	for _, w := range b.env.APIFaults.Writes()[before:] {
		if resourceOf(w.Path) != "leases" {
			count++
		}
	}
	b.report.Rows = append(b.report.Rows, row{ID: "P6", What: "writes of an idle controller in a minute", Unit: "writes",
		Controller: []float64{float64(count)}, Target: "0", Limit: 0})
	if err := b.scale(ctx, pool, 0); err != nil {
		return err
	}
	if err := b.awaitReady(ctx, name, 0); err != nil {
		return err
	}
	return b.removePool(ctx, pool)
}

func (b *bench) removePool(ctx context.Context, p *v1alpha1.NomadNodePool) error {
	if err := b.client.Delete(ctx, p); err != nil {
		return err
	}
	return b.await(ctx, "pool "+p.Name+" to be gone", func(ctx context.Context) error {
		err := b.client.Get(ctx, client.ObjectKeyFromObject(p), p.DeepCopy())
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// resourceOf is the resource of an API path, with its subresource.
func resourceOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, p := range parts {
		if p != "namespaces" || i+2 >= len(parts) {
			continue
		}
		rest := parts[i+2:]
		if len(rest) > 2 {
			return rest[0] + "/" + rest[2]
		}
		return rest[0]
	}
	return parts[len(parts)-1]
}
