package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// preloadTogether is how many objects etcd gets in one transaction: it takes 128, and a megabyte and a half.
const preloadTogether = 50

// Preload puts objects of a custom resource, by its plural, into etcd, where the API server keeps them as JSON. No
// admission sees them, and their status is taken as it is. A write through the API server takes it some milliseconds of
// CPU, which is too much for tens of thousands. Each object needs what the API server gives to new ones, a UID and the
// time of its creation, and the version in which the API server stores the resource.
func (cp *ControlPlane) Preload(ctx context.Context, resource string, objects ...*unstructured.Unstructured) error {
	type put struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	}
	type op struct {
		Put put `json:"requestPut"`
	}
	for some := range slices.Chunk(objects, preloadTogether) {
		var ops []op
		for _, o := range some {
			if created := o.GetCreationTimestamp(); o.GetUID() == "" || created.IsZero() || o.GetResourceVersion() != "" {
				return fmt.Errorf("%s %s isn't as the API server stores it", o.GetKind(), o.GetName())
			}
			value, err := o.MarshalJSON()
			if err != nil {
				return err
			}
			key := fmt.Sprintf("/registry/%s/%s/%s/%s", o.GroupVersionKind().Group, resource, o.GetNamespace(), o.GetName())
			ops = append(ops, op{put{[]byte(key), value}})
		}
		if err := cp.transaction(ctx, map[string]any{"success": ops}); err != nil {
			return err
		}
	}
	return nil
}

// transaction sends etcd a request by its JSON gateway.
func (cp *ControlPlane) transaction(ctx context.Context, what any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, cp.etcdURL+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000)) // what can be read of the reason
		return fmt.Errorf("etcd: %s: %s", answer.Status, text)
	}
	return nil
}
