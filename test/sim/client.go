package sim

import (
	"context"
	"errors"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// apiClient is a process's client: it reads from the cache, or live from the API server, and writes to the API server.
type apiClient struct {
	p    *process
	live bool
}

var _ client.Client = (*apiClient)(nil)

var errNotSimulated = errors.New("the controllers have no need of this, and the simulator doesn't have it")

// Get reads one object.
func (c *apiClient) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	i := id{kindOf(o), key.Namespace, key.Name}
	read := func() error {
		found := c.ofKind(i.kind).objects[i]
		if found == nil {
			return apierrors.NewNotFound(resourceOf(i.kind), i.name)
		}
		copyInto(o, found)
		return nil
	}
	if !c.direct(i.kind) {
		return read()
	}
	return c.p.request(call{verb: "get", id: i}, read)
}

// direct reports whether a read asks the API server.
func (c *apiClient) direct(kind string) bool { return c.live || !slices.Contains(cachedKinds, kind) }

func (c *apiClient) ofKind(kind string) *kindStore {
	if c.direct(kind) {
		return c.p.w.store.ofKind(kind)
	}
	return c.p.cache.kinds[kind]
}

// List reads the objects of a kind. A cache has no order.
func (c *apiClient) List(_ context.Context, l client.ObjectList, opts ...client.ListOption) error {
	o := client.ListOptions{}
	o.ApplyOptions(opts)
	kind := kindOf(l)
	if o.FieldSelector != nil && c.direct(kind) {
		return apierrors.NewBadRequest("field label not supported: " + o.FieldSelector.String())
	}
	read := func() error {
		var found []runtime.Object
		sh := c.ofKind(kind)
		for _, i := range sh.among(o.FieldSelector) {
			obj := sh.objects[i]
			if (o.Namespace == "" || o.Namespace == i.namespace) &&
				(o.LabelSelector == nil || o.LabelSelector.Matches(labelsOf(obj))) &&
				indexed(o.FieldSelector, obj) {
				found = append(found, obj)
			}
		}
		if !c.direct(kind) {
			c.p.w.chance.of("order").Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		}
		return fill(l, found, c.shares(o))
	}
	if !c.direct(kind) {
		return read()
	}
	return c.p.request(call{verb: "list", id: id{kind: kind, namespace: o.Namespace}}, read)
}

// shares reports whether a list holds the cache's own objects, as the controllers ask for it. Schedules copy them, so
// that one which is changed all the same changes nothing.
func (c *apiClient) shares(o client.ListOptions) bool {
	return c.p.w.fleet != nil && o.UnsafeDisableDeepCopy != nil && *o.UnsafeDisableDeepCopy
}

// fill puts the objects into a typed list, or copies of them.
func fill(l client.ObjectList, found []runtime.Object, share bool) error {
	items := reflect.ValueOf(l).Elem().FieldByName("Items")
	out := reflect.MakeSlice(items.Type(), len(found), len(found))
	for n, o := range found {
		item, ok := out.Index(n).Addr().Interface().(client.Object)
		if !ok {
			return errNotSimulated
		}
		if share {
			reflect.ValueOf(item).Elem().Set(reflect.ValueOf(o).Elem())
			continue
		}
		copyInto(item, o.(client.Object))
	}
	items.Set(out)
	return nil
}

// indexed reports whether the indexes of the cache find an object.
func indexed(s fields.Selector, o client.Object) bool {
	if s == nil {
		return true
	}
	for _, r := range s.Requirements() {
		if of := kube.NodeIndexes[r.Field]; of == nil || !slices.Contains(of(o), r.Value) {
			return false
		}
	}
	return true
}

type labelSet map[string]string

func labelsOf(o client.Object) labelSet { return o.GetLabels() }

// Has is labels.Labels'.
func (l labelSet) Has(k string) bool { _, ok := l[k]; return ok }

// Get is labels.Labels'.
func (l labelSet) Get(k string) string { return l[k] }

// Lookup is labels.Labels'.
func (l labelSet) Lookup(k string) (string, bool) { v, ok := l[k]; return v, ok }

// Create makes an object.
func (c *apiClient) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	return c.p.request(call{verb: "create", id: idOf(o), object: o}, func() error { return c.p.w.store.create(o) })
}

// Delete deletes an object.
func (c *apiClient) Delete(_ context.Context, o client.Object, opts ...client.DeleteOption) error {
	do := client.DeleteOptions{}
	do.ApplyOptions(opts)
	uid := types.UID("")
	if do.Preconditions != nil && do.Preconditions.UID != nil {
		uid = *do.Preconditions.UID
	}
	i := idOf(o)
	return c.p.request(call{verb: "delete", id: i, uid: uid}, func() error { return c.p.w.store.remove(i, uid) })
}

// Patch changes an object.
func (c *apiClient) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
	return c.patch(o, p, false)
}

func (c *apiClient) patch(o client.Object, p client.Patch, status bool) error {
	data, err := p.Data(o)
	if err != nil {
		return err
	}
	if p.Type() != types.MergePatchType {
		return errNotSimulated
	}
	i := idOf(o)
	return c.p.request(call{verb: "patch", id: i, status: status, patch: data}, func() error {
		is, err := c.p.w.store.patch(i, data, status)
		if err == nil {
			copyInto(o, is)
		}
		return err
	})
}

// Status gives the writer of statuses.
func (c *apiClient) Status() client.SubResourceWriter { return statusWriter{c} }

// SubResource is not simulated.
func (c *apiClient) SubResource(string) client.SubResourceClient { return nil }

// Update is not simulated: the controllers patch.
func (c *apiClient) Update(context.Context, client.Object, ...client.UpdateOption) error {
	return errNotSimulated
}

// Apply is not simulated.
func (c *apiClient) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return errNotSimulated
}

// DeleteAllOf is not simulated.
func (c *apiClient) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return errNotSimulated
}

// Scheme is not simulated.
func (c *apiClient) Scheme() *runtime.Scheme { return nil }

// RESTMapper is not simulated.
func (c *apiClient) RESTMapper() meta.RESTMapper { return nil }

// GroupVersionKindFor is not simulated.
func (c *apiClient) GroupVersionKindFor(runtime.Object) (schema.GroupVersionKind, error) {
	return schema.GroupVersionKind{}, errNotSimulated
}

// IsObjectNamespaced is not simulated.
func (c *apiClient) IsObjectNamespaced(runtime.Object) (bool, error) { return false, errNotSimulated }

type statusWriter struct{ c *apiClient }

// Patch changes an object's status.
func (s statusWriter) Patch(_ context.Context, o client.Object, p client.Patch,
	_ ...client.SubResourcePatchOption) error {
	return s.c.patch(o, p, true)
}

// Create is not simulated.
func (s statusWriter) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errNotSimulated
}

// Update is not simulated: the controllers patch.
func (s statusWriter) Update(context.Context, client.Object, ...client.SubResourceUpdateOption) error {
	return errNotSimulated
}

// Apply is not simulated.
func (s statusWriter) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return errNotSimulated
}
