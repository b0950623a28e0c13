package sim

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// mostLag is by how much a cache may lag behind.
const mostLag = 20 * time.Second

// cachedKinds are what a process watches (controllers/cache.go).
var cachedKinds = []string{kindPool, kindNode, kindVM, kindInstance}

// cache is what one process knows of the API server. It never goes back, but each kind may lag behind, by its own
// amount.
type cache struct {
	p     *process
	kinds map[string]*kindStore
	// seen is when the latest event of a kind arrives: those that follow arrive later.
	seen map[string]time.Time
	// stuck is until when no event of a kind arrives.
	stuck map[string]time.Time
}

// newCache lists everything.
func newCache(p *process) *cache {
	c := &cache{p: p, kinds: map[string]*kindStore{}, seen: map[string]time.Time{}, stuck: map[string]time.Time{}}
	for _, kind := range cachedKinds {
		c.kinds[kind] = &kindStore{objects: map[id]client.Object{}}
		for _, o := range p.w.store.all(kind) {
			c.take(nil, o)
		}
	}
	return c
}

// watch gets each change in the store, and shows it later.
func (c *cache) watch(was, is client.Object) {
	of := is
	if of == nil {
		of = was
	}
	kind := kindOf(of)
	if !slices.Contains(cachedKinds, kind) {
		return
	}
	w := c.p.w
	at := w.now.Add(c.lag(kind))
	if last := c.seen[kind]; at.Before(last) {
		at = last
	}
	c.seen[kind] = at
	w.after(at.Sub(w.now), func() {
		if !c.p.dead {
			c.take(was, is)
			c.p.saw(was, is)
		}
	})
}

func (c *cache) lag(kind string) time.Duration {
	w := c.p.w
	s := w.chance.of("lag")
	if w.faulty && s.once(w.Faults.Lag) {
		c.stuck[kind] = w.now.Add(s.between(100*time.Millisecond, mostLag))
	}
	return max(s.between(time.Millisecond, 20*time.Millisecond), c.stuck[kind].Sub(w.now))
}

// watched applies the selectors of the cache: of VMs and their instances only those with a pool's label.
func watched(o client.Object) bool {
	if o == nil {
		return false
	}
	kind := kindOf(o)
	return kind == kindPool || kind == kindNode || o.GetLabels()[v1alpha1.PoolLabel] != ""
}

func (c *cache) take(was, is client.Object) {
	of := is
	if of == nil {
		of = was
	}
	i := idOf(of)
	sh := c.kinds[i.kind]
	if n, ok := of.(*v1alpha1.NomadNode); ok {
		sh.belongs(n.Spec.PoolUID, i, is != nil)
	}
	at, found := slices.BinarySearchFunc(sh.order, i, id.less)
	switch {
	case watched(is):
		if !found {
			sh.order = slices.Insert(sh.order, at, i)
		}
		sh.objects[i] = is
	case found:
		sh.order = slices.Delete(sh.order, at, at+1)
		delete(sh.objects, i)
	}
}

// belongs notes which pool a member is of, or that it is gone.
func (s *kindStore) belongs(poolUID string, i id, is bool) {
	if s.byPool == nil {
		s.byPool = map[string][]id{}
	}
	of := s.byPool[poolUID]
	at, found := slices.BinarySearchFunc(of, i, id.less)
	switch {
	case is && !found:
		s.byPool[poolUID] = slices.Insert(of, at, i)
	case !is && found:
		s.byPool[poolUID] = slices.Delete(of, at, at+1)
	}
}

// among are those that a selector of fields can find, in order: the members of a pool, or all.
func (s *kindStore) among(f fields.Selector) []id {
	if f != nil {
		if poolUID, is := f.RequiresExactMatch(kube.PoolUIDField); is {
			return s.byPool[poolUID]
		}
	}
	return s.order
}
