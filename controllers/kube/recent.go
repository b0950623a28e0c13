package kube

import (
	"maps"
	"sync"
	"time"
)

// recentFor is for how long what was read is taken to be as it was.
const recentFor = 2 * time.Second

// Recent remembers for two seconds what was read, so that many who want to know the same at the same time read it once.
// Its zero value remembers nothing, and all methods may be called at the same time.
type Recent[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]reading[V]
}

type reading[V any] struct {
	value V
	at    time.Time
}

func (r reading[V]) recent(now time.Time) bool { return pauseLeft(r.at, now, recentFor) > 0 }

// Get returns what was read of the key, and when; false: nothing was, or too long ago.
func (r *Recent[K, V]) Get(key K, now time.Time) (value V, at time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := r.of[key]
	if !is.recent(now) {
		return value, time.Time{}, false
	}
	return is.value, is.at, true
}

// Read returns what was read of the key, and reads it if that is too long ago, or if it is to be read anew. The lock
// isn't held meanwhile, so several may read the same.
func (r *Recent[K, V]) Read(key K, now time.Time, anew bool, read func() (V, error)) (V, error) {
	if value, _, ok := r.Get(key, now); ok && !anew {
		return value, nil
	}
	value, err := read()
	if err == nil {
		r.Put(key, value, now)
	}
	return value, err
}

// Put remembers what was read of the key now, and forgets what is too old.
func (r *Recent[K, V]) Put(key K, value V, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[K]reading[V]{}
	}
	maps.DeleteFunc(r.of, func(_ K, is reading[V]) bool { return !is.recent(now) })
	r.of[key] = reading[V]{value, now}
}
