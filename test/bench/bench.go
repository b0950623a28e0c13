package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// timeout bounds one thing that is waited for: a measurement that takes longer is an error.
const timeout = 10 * time.Minute

// bench is a run: the environment, its controller, and what was measured so far.
type bench struct {
	options
	env    *testenv.Environment
	client client.WithWatch
	// asController makes NomadNodes, which nobody else may.
	asController client.Client
	controller   *testenv.Controller
	// pprof is where the controller serves its profiles.
	pprof  string
	report report
}

func (b *bench) start(ctx context.Context) error {
	scheme, err := testenv.Scheme()
	if err != nil {
		return err
	}
	if b.client, err = client.NewWithWatch(b.env.RESTConfig, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	controller := b.env.ConfigAs(fixtures.ProductNamespace, testenv.ControllerServiceAccount)
	if b.asController, err = client.New(controller, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	return b.startController(ctx, testenv.ControllerOptions{})
}

// log tells what is being measured; the table on stdout comes in the end.
func (b *bench) log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// pool makes a pool without members and waits until it is ready.
func (b *bench) pool(ctx context.Context, name string) (*v1alpha1.NomadNodePool, error) {
	return b.poolIn(ctx, name, name)
}

// poolIn makes a pool in a node pool of Nomad's that may have another name.
func (b *bench) poolIn(ctx context.Context, name, nodePool string,
	changes ...func(*v1alpha1.NomadNodePoolSpec)) (*v1alpha1.NomadNodePool, error) {
	p := &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name},
		Spec: v1alpha1.NomadNodePoolSpec{
			Replicas: ptr.To[int32](0),
			Nomad: v1alpha1.NomadSpec{NomadClient: v1alpha1.NomadClient{
				Servers: []string{testenv.NomadName}, NodePool: nodePool, NodeClass: nodePool,
			}},
			Template: v1alpha1.NodeTemplate{
				CPU: 1, Memory: resource.MustParse("1Gi"),
				Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: fixtures.Image}},
				Networks: []v1alpha1.Network{{Name: fixtures.Network}},
			},
		},
	}
	// Whoever scales in means it at once here.
	p.Spec.ScaleIn.StabilizationWindow = &metav1.Duration{}
	for _, change := range changes {
		change(&p.Spec)
	}
	if err := b.client.Create(ctx, p); err != nil {
		return nil, err
	}
	return p, b.awaitReady(ctx, name, 0)
}

// runningPool makes a pool whose members all run.
func (b *bench) runningPool(ctx context.Context, name string,
	changes ...func(*v1alpha1.NomadNodePoolSpec)) (*v1alpha1.NomadNodePool, error) {
	p, err := b.poolIn(ctx, name, name, changes...)
	if err != nil {
		return nil, err
	}
	if err := b.scale(ctx, p, b.running); err != nil {
		return nil, err
	}
	return p, b.awaitReady(ctx, name, b.running)
}

func (b *bench) awaitReady(ctx context.Context, name string, members int) error {
	return b.await(ctx, fmt.Sprintf("pool %s to have %d ready members", name, members),
		func(ctx context.Context) error { return b.allReady(ctx, name, members) })
}

// allReady is nil when a pool has so many members, all of them ready.
func (b *bench) allReady(ctx context.Context, name string, members int) error {
	p := &v1alpha1.NomadNodePool{}
	if err := b.client.Get(ctx, client.ObjectKey{Namespace: fixtures.Namespace, Name: name}, p); err != nil {
		return err
	}
	var l v1alpha1.NomadNodeList
	if err := b.client.List(ctx, &l, ofPool(name)...); err != nil {
		return err
	}
	if p.Status.ObservedGeneration != p.Generation || int(p.Status.ReadyReplicas) != members || len(l.Items) != members {
		return fmt.Errorf("%d members, %d ready", len(l.Items), p.Status.ReadyReplicas)
	}
	return nil
}

// scale sets the replicas of a pool of ours, or of KubeVirt's.
func (b *bench) scale(ctx context.Context, pool client.Object, replicas int) error {
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	return b.client.Patch(ctx, pool, patch)
}

func (b *bench) await(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return process.WaitFor(ctx, 200*time.Millisecond, what, check)
}

func ofPool(name string) []client.ListOption {
	return []client.ListOption{client.InNamespace(fixtures.Namespace), client.MatchingLabels{v1alpha1.PoolLabel: name}}
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
