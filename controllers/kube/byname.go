package kube

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// ByName remembers something of each object by its name, until it is forgotten. Nothing is written of it: it ends with
// the process. Its zero value remembers nothing, and all methods may be called at the same time.
type ByName[T any] struct {
	mu sync.Mutex
	of map[types.NamespacedName]T
}

// Get returns what is remembered, or the zero value and false.
func (b *ByName[T]) Get(name types.NamespacedName) (T, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	is, ok := b.of[name]
	return is, ok
}

// Put remembers it in the place of what was remembered before.
func (b *ByName[T]) Put(name types.NamespacedName, is T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = map[types.NamespacedName]T{}
	}
	b.of[name] = is
}

// Forget forgets an object that is gone.
func (b *ByName[T]) Forget(name types.NamespacedName) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, name)
}
