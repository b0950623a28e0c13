package main

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad-autoscaler/sdk"
	"github.com/hashicorp/nomad-autoscaler/sdk/helper/scaleutils"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// peerBatch removes some nodes as a plugin does that is built with the autoscaler's SDK: it chooses, drains and waits,
// removes the VMs and then purges the nodes. It returns how many there were.
func (b *bench) peerBatch(ctx context.Context, c copied, n int, awaitGone func(int) error) (int, error) {
	utils, err := scaleutils.NewClusterScaleUtils(&api.Config{Address: b.env.NomadAddr, SecretID: b.env.NomadToken},
		hclog.NewNullLogger())
	if err != nil {
		return 0, err
	}
	utils.ClusterNodeIDLookupFunc = func(n *api.Node) (string, error) { return n.Name, nil }
	config := map[string]string{
		sdk.TargetConfigKeyClass: bareName, sdk.TargetConfigKeyDrainDeadline: drainDeadline.String(),
		sdk.TargetConfigKeyNodePurge: "true",
	}
	nodes, err := utils.RunPreScaleInTasks(ctx, config, n)
	if err != nil {
		return 0, err
	}
	if err := kube.InParallel(len(nodes), bareWriters, func(i int) error {
		return b.deleteBare(ctx, c, nodes[i].RemoteResourceID)
	}); err != nil {
		return 0, err
	}
	if err := awaitGone(len(nodes)); err != nil {
		return 0, err
	}
	return len(nodes), utils.RunPostScaleInTasks(ctx, config, nodes)
}
