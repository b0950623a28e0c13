package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// bareWriters is how many requests a bare loop has under way, as many as the controller has when it makes members.
const bareWriters = 16

// bareName is what the copies of a bare loop are called, and their pool.
const bareName = "bare"

// copied is one member's objects as the controller has made them, to be made again under other names.
type copied struct {
	name, pool, nodeID string
	member, secret, vm *unstructured.Unstructured
}

// bare is the name of a copy; each run has its own, because claims outlive their VMs.
func (c copied) bare(i int) string { return fmt.Sprintf("%s-%s-%d", bareName, c.pool, i) }

// copyOne copies the objects of one member of a pool.
func (b *bench) copyOne(ctx context.Context, pool string) (copied, error) {
	var l v1alpha1.NomadNodeList
	if err := b.client.List(ctx, &l, ofPool(pool)...); err != nil {
		return copied{}, err
	}
	if len(l.Items) == 0 {
		return copied{}, fmt.Errorf("pool %s has no members to copy", pool)
	}
	n := l.Items[0]
	c := copied{name: n.Name, pool: pool, nodeID: n.Spec.NodeID}
	var secrets corev1.SecretList
	if err := b.client.List(ctx, &secrets, client.InNamespace(fixtures.Namespace),
		client.MatchingLabels{v1alpha1.NodeLabel: n.Name}); err != nil || len(secrets.Items) != 1 {
		return copied{}, errors.Join(err, fmt.Errorf("member %s has %d Secrets, not one", n.Name, len(secrets.Items)))
	}
	for _, o := range []struct {
		to   **unstructured.Unstructured
		kind schema.GroupVersionKind
		name string
	}{
		{&c.member, memberKind, n.Name},
		{&c.vm, vmKind, n.Name},
		{&c.secret, corev1.SchemeGroupVersion.WithKind("Secret"), secrets.Items[0].Name},
	} {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(o.kind)
		if err := b.client.Get(ctx, client.ObjectKey{Namespace: fixtures.Namespace, Name: o.name}, u); err != nil {
			return copied{}, err
		}
		*o.to = u
	}
	return c, nil
}

// macAddress matches what Harvester lets only one VM of a network have.
var macAddress = regexp.MustCompile(`"macAddress":"[^"]*"`)

// as returns an object of the member's under another member's name.
func (c copied) as(o *unstructured.Unstructured, name, nodeID string) (*unstructured.Unstructured, error) {
	rename := strings.NewReplacer(c.name, name, c.pool, bareName, c.nodeID, nodeID).Replace
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	text, err := json.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	text = macAddress.ReplaceAll([]byte(rename(string(text))), fmt.Appendf(nil, `"macAddress":"02:%s:%s:%s:%s:%s"`,
		nodeID[:2], nodeID[2:4], nodeID[4:6], nodeID[6:8], nodeID[9:11]))
	if err := out.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	for key, value := range data {
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, err
		}
		data[key] = base64.StdEncoding.EncodeToString([]byte(rename(string(plain))))
	}
	if len(data) > 0 {
		if err := unstructured.SetNestedStringMap(out.Object, data, "data"); err != nil {
			return nil, err
		}
	}
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation",
		"ownerReferences", "finalizers"} {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	// Others may not delete what is marked as a member.
	unstructured.RemoveNestedField(out.Object, "metadata", "annotations", v1alpha1.MemberAnnotation)
	unstructured.RemoveNestedField(out.Object, "status")
	return out, nil
}

// bareLife makes the objects of n members as fast as the API server takes them, each member's in the controller's
// order, with the two status writes that keep what must not be lost: the claims, and the VM's UID.
func (b *bench) bareLife(ctx context.Context, c copied, n int, running bool) (life, error) {
	l := life{}
	vms, instances, err := b.clocks(ctx, bareName)
	if err != nil {
		return l, err
	}
	defer vms.cancel()
	defer instances.cancel()
	start := time.Now()
	if err := kube.InParallel(n, bareWriters, func(i int) error { return b.makeBare(ctx, c, c.bare(i)) }); err != nil {
		return l, err
	}
	if err := l.grow(ctx, start, n, vms, instances, running); err != nil {
		return l, err
	}
	start = time.Now()
	if err := kube.InParallel(n, bareWriters, func(i int) error { return b.deleteBare(ctx, c, c.bare(i)) }); err != nil {
		return l, err
	}
	l.gone, err = seconds(vms.await(ctx, start, 0, ""))
	return l, err
}

func (b *bench) makeBare(ctx context.Context, c copied, name string) error {
	nodeID := uuid.NewString()
	member, err := c.as(c.member, name, nodeID)
	if err != nil {
		return err
	}
	if err := b.asController.Create(ctx, member); err != nil {
		return err
	}
	status := func(field string, value any) error {
		text, err := json.Marshal(map[string]any{"status": map[string]any{field: value}})
		if err != nil {
			return err
		}
		return b.client.Status().Patch(ctx, member, client.RawPatch(types.MergePatchType, text))
	}
	if err := status("claims", []string{name + "-root"}); err != nil {
		return err
	}
	for _, o := range []*unstructured.Unstructured{c.secret, c.vm} {
		made, err := c.as(o, name, nodeID)
		if err != nil {
			return err
		}
		if err := b.client.Create(ctx, made); err != nil {
			return err
		}
	}
	return status("phase", "Provisioning")
}

func (b *bench) deleteBare(ctx context.Context, c copied, name string) error {
	for _, o := range []*unstructured.Unstructured{c.vm, c.secret, c.member} {
		gone := &unstructured.Unstructured{}
		gone.SetGroupVersionKind(o.GroupVersionKind())
		gone.SetNamespace(fixtures.Namespace)
		gone.SetName(strings.ReplaceAll(o.GetName(), c.name, name))
		if err := b.client.Delete(ctx, gone, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			return err
		}
	}
	return nil
}

// vmPoolLife lets KubeVirt's pool make VMs and remove them, with the VM of a member as its template. Disks with claims
// are left out, because all its VMs would name the same claims: it has less to do, and so its VMs aren't waited for to
// run.
func (b *bench) vmPoolLife(ctx context.Context, c copied, n int) (life, error) {
	l, name := life{}, "kubevirts-"+c.pool // KubeVirt's controller remembers what it expects of a pool by its name
	vms, err := watchClock(ctx, b.client, vmKind, ofPool(name)...)
	if err != nil {
		return l, err
	}
	defer vms.cancel()
	pool, secret, err := vmPool(c, name)
	if err != nil {
		return l, err
	}
	for _, o := range []*unstructured.Unstructured{secret, pool} {
		if err := b.client.Create(ctx, o); err != nil {
			return l, err
		}
	}
	start := time.Now()
	if err := b.scale(ctx, pool.DeepCopy(), n); err != nil {
		return l, err
	}
	if l.objects, err = seconds(vms.await(ctx, start, n, "")); err != nil {
		return l, err
	}
	start = time.Now()
	if err := b.scale(ctx, pool.DeepCopy(), 0); err != nil {
		return l, err
	}
	if l.gone, err = seconds(vms.await(ctx, start, 0, "")); err != nil {
		return l, err
	}
	return l, errors.Join(b.client.Delete(ctx, pool), b.client.Delete(ctx, secret))
}

func vmPool(c copied, name string) (pool, secret *unstructured.Unstructured, err error) {
	vm, err := c.as(c.vm, name, uuid.NewString())
	if err != nil {
		return nil, nil, err
	}
	if secret, err = c.as(c.secret, name, uuid.NewString()); err != nil {
		return nil, nil, err
	}
	spec, _, _ := unstructured.NestedMap(vm.Object, "spec")
	claims := map[string]bool{}
	keep := func(list []any, wanted func(map[string]any) bool) []any {
		var out []any
		for _, item := range list {
			if m, ok := item.(map[string]any); ok && wanted(m) {
				out = append(out, m)
			}
		}
		return out
	}
	volumes, _, _ := unstructured.NestedSlice(spec, "template", "spec", "volumes")
	volumes = keep(volumes, func(v map[string]any) bool {
		_, claim := v["persistentVolumeClaim"]
		claims[fmt.Sprint(v["name"])] = claim
		if _, cloudInit := v["cloudInitNoCloud"]; cloudInit { // its guests are no Nomad clients
			v["cloudInitNoCloud"] = map[string]any{"userData": "#cloud-config\n"}
		}
		return !claim
	})
	disks, _, _ := unstructured.NestedSlice(spec, "template", "spec", "domain", "devices", "disks")
	disks = keep(disks, func(d map[string]any) bool { return !claims[fmt.Sprint(d["name"])] })
	nics, _, _ := unstructured.NestedSlice(spec, "template", "spec", "domain", "devices", "interfaces")
	for _, nic := range nics {
		delete(nic.(map[string]any), "macAddress")
	}
	labels := map[string]any{v1alpha1.PoolLabel: name}
	err = errors.Join(
		unstructured.SetNestedSlice(spec, volumes, "template", "spec", "volumes"),
		unstructured.SetNestedSlice(spec, disks, "template", "spec", "domain", "devices", "disks"),
		unstructured.SetNestedSlice(spec, nics, "template", "spec", "domain", "devices", "interfaces"),
		unstructured.SetNestedMap(spec, labels, "template", "metadata", "labels"),
	)
	pool = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool",
		"metadata": map[string]any{"namespace": fixtures.Namespace, "name": name},
		"spec": map[string]any{
			"replicas": int64(0),
			"selector": map[string]any{"matchLabels": labels},
			"virtualMachineTemplate": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec":     spec,
			},
		},
	}}
	return pool, secret, err
}
