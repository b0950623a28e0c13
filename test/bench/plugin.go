package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"

	targetplugin "github.com/hashicorp/nomad-autoscaler/plugins/target"
	"github.com/hashicorp/nomad-autoscaler/sdk"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/pkg/nomadtarget/nomadtargettest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// pluginCalls is how often the plugin is asked, and the API server beside it.
const pluginCalls = 200

// pluginRows measures the plugin as the autoscaler's agent calls it: a process of its own, by gRPC, against the API
// server, with the rights of its service account.
func (b *bench) pluginRows(ctx context.Context) error {
	if !b.wants("P9") {
		return nil
	}
	const name = "plugin"
	pool, err := b.pool(ctx, name)
	if err != nil {
		return err
	}
	if err := b.controller.Stop(); err != nil { // nobody has to be made, and the plugin scales no pool that is paused
		return err
	}
	target, stop, err := b.startPlugin(ctx)
	if err != nil {
		return err
	}
	defer stop()
	config, err := b.env.Kube.RESTConfigFor(ctx, fixtures.ProductNamespace, testenv.AutoscalerServiceAccount)
	if err != nil {
		return err
	}
	bare, err := client.New(config, client.Options{Scheme: b.client.Scheme(), Mapper: b.client.RESTMapper()})
	if err != nil {
		return err
	}
	policy := map[string]string{"node_pool_name": name, "namespace": fixtures.Namespace}
	get := func(int) error {
		return bare.Get(ctx, client.ObjectKeyFromObject(pool), &v1alpha1.NomadNodePool{})
	}
	status := func(int) error { _, err := target.Status(policy); return err }
	patch := func(i int) error {
		return bare.SubResource("scale").Patch(ctx, pool.DeepCopy(),
			client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, i%2)))
	}
	scale := func(i int) error {
		return target.Scale(sdk.ScalingAction{Count: int64(2 + i%2), Reason: "measured"}, policy)
	}
	none := func(int) error { return nil }
	for _, pair := range []struct {
		what, with           string
		before, plugin, bare func(i int) error
	}{
		{"plugin: Status", "one GET", none, status, get},
		{"plugin: Scale", "one PATCH", status, scale, patch}, // the agent asks for the status before
	} {
		r := row{ID: "P9", What: pair.what, Unit: "ms", With: pair.with, Target: "<= 1.3 x", Limit: 1.3}
		if err := alternate(&r, pair.before, pair.plugin, pair.bare); err != nil {
			return fmt.Errorf("%s: %w", pair.what, err)
		}
		b.report.Rows = append(b.report.Rows, r)
	}
	if err := b.scale(ctx, pool, 0); err != nil {
		return err
	}
	if err := b.controller.Restart(ctx); err != nil {
		return err
	}
	return b.removePool(ctx, pool)
}

// alternate calls the plugin and the API server by turns, so that both meet the same load, and notes what each took.
// What comes before isn't counted.
func alternate(r *row, before, plugin, bare func(i int) error) error {
	for i := range pluginCalls {
		if err := before(i); err != nil {
			return err
		}
		for _, side := range []struct {
			call    func(i int) error
			samples *[]float64
		}{{plugin, &r.Controller}, {bare, &r.Peer}} {
			start := time.Now()
			if err := side.call(i); err != nil {
				return err
			}
			*side.samples = append(*side.samples, float64(time.Since(start).Microseconds())/1000)
		}
	}
	return nil
}

// startPlugin starts the product as the agent starts a plugin.
func (b *bench) startPlugin(ctx context.Context) (targetplugin.Target, func(), error) {
	program, err := b.env.ProductBinary(ctx)
	if err != nil {
		return nil, nil, err
	}
	kubeconfig, err := b.env.Kube.KubeconfigFor(ctx, fixtures.ProductNamespace, testenv.AutoscalerServiceAccount)
	if err != nil {
		return nil, nil, err
	}
	target, stop, err := nomadtargettest.Launch(exec.CommandContext(ctx, program), io.Discard)
	if err != nil {
		return nil, nil, err
	}
	if err := target.SetConfig(map[string]string{"kubeconfig": kubeconfig}); err != nil {
		stop()
		return nil, nil, fmt.Errorf("the plugin: %w", err)
	}
	return target, stop, nil
}
