package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// clock notes when the objects of a kind that a selector matches came, ran and went, as a watch tells it.
type clock struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	phase   map[string]string
	cancel  context.CancelFunc
	err     error
}

// watchClock begins with what there is.
func watchClock(ctx context.Context, c client.WithWatch, kind schema.GroupVersionKind,
	opts ...client.ListOption) (*clock, error) {
	ctx, cancel := context.WithCancel(ctx)
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	w, err := c.Watch(ctx, list, opts...) // begins with what there is
	if err != nil {
		cancel()
		return nil, err
	}
	k := &clock{changed: make(chan struct{}), phase: map[string]string{}, cancel: cancel}
	go k.follow(w)
	return k, nil
}

func (k *clock) follow(w watch.Interface) {
	for e := range w.ResultChan() {
		k.mu.Lock()
		if o, ok := e.Object.(*unstructured.Unstructured); ok {
			phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
			k.phase[o.GetName()] = phase
			if e.Type == watch.Deleted {
				delete(k.phase, o.GetName())
			}
		} else {
			k.err = fmt.Errorf("the watch says %v", e.Object)
		}
		close(k.changed)
		k.changed = make(chan struct{})
		k.mu.Unlock()
	}
}

// await returns how long after start so many objects are there: with the phase, or with any if it is empty.
func (k *clock) await(ctx context.Context, start time.Time, count int, phase string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		k.mu.Lock()
		n, err, changed := 0, k.err, k.changed
		for _, p := range k.phase {
			if phase == "" || p == phase {
				n++
			}
		}
		k.mu.Unlock()
		switch {
		case err != nil:
			return 0, err
		case n == count:
			return time.Since(start), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d objects in phase %q, not %d: %w", n, phase, count, ctx.Err())
		case <-changed:
		}
	}
}
