package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	k := &clock{changed: make(chan struct{}), cancel: cancel}
	begin := func() (watch.Interface, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := c.List(ctx, list, opts...); err != nil {
			return nil, err
		}
		k.is(list.Items)
		since := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
		return c.Watch(ctx, list, append(slices.Clone(opts), since)...)
	}
	w, err := begin()
	if err != nil {
		cancel()
		return nil, err
	}
	go k.follow(ctx, w, begin)
	return k, nil
}

// follow follows watches until the context ends. A busy API server ends one that doesn't take its events fast enough.
func (k *clock) follow(ctx context.Context, w watch.Interface, again func() (watch.Interface, error)) {
	for {
		for e := range w.ResultChan() {
			o, ok := e.Object.(*unstructured.Unstructured)
			if !ok {
				break // it says why it ends
			}
			k.change(func() {
				k.phase[o.GetName()] = phaseOf(o)
				if e.Type == watch.Deleted {
					delete(k.phase, o.GetName())
				}
			})
		}
		w.Stop()
		var err error
		if w, err = again(); err != nil {
			if ctx.Err() == nil {
				k.change(func() { k.err = fmt.Errorf("watching again: %w", err) })
			}
			return
		}
	}
}

// is notes what there is.
func (k *clock) is(objects []unstructured.Unstructured) {
	k.change(func() {
		k.phase = map[string]string{}
		for i := range objects {
			k.phase[objects[i].GetName()] = phaseOf(&objects[i])
		}
	})
}

// change changes the clock, and wakes whoever waits for that.
func (k *clock) change(how func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	how()
	close(k.changed)
	k.changed = make(chan struct{})
}

func phaseOf(o *unstructured.Unstructured) string {
	phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	return phase
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
