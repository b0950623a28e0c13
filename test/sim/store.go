package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// id names an object.
type id struct{ kind, namespace, name string }

func idOf(o client.Object) id { return id{kindOf(o), o.GetNamespace(), o.GetName()} }

func (i id) less(j id) int {
	return strings.Compare(i.namespace+"/"+i.name, j.namespace+"/"+j.name)
}

// store is the API server. Objects in it are never changed, only replaced, so that caches may share them.
type store struct {
	w       *Environment
	version uint64
	kinds   map[string]*kindStore
	// watchers see each change, in order; was or is may be nil.
	watchers []func(was, is client.Object)
}

// kindStore holds the objects of one kind.
type kindStore struct {
	objects map[id]client.Object
	order   []id // sorted
	// byPool are the members in a cache, in the same order, by their pools' UIDs (controllers/kube: PoolUIDField).
	byPool map[string][]id
}

func newStore(w *Environment) *store { return &store{w: w, kinds: map[string]*kindStore{}} }

func (s *store) ofKind(kind string) *kindStore {
	sh := s.kinds[kind]
	if sh == nil {
		sh = &kindStore{objects: map[id]client.Object{}}
		s.kinds[kind] = sh
	}
	return sh
}

func (s *store) get(i id) client.Object {
	return s.ofKind(i.kind).objects[i]
}

// all objects of a kind, by name.
func (s *store) all(kind string) []client.Object {
	sh := s.ofKind(kind)
	out := make([]client.Object, 0, len(sh.order))
	for _, i := range sh.order {
		out = append(out, sh.objects[i])
	}
	return out
}

func (s *store) put(o client.Object) {
	i := idOf(o)
	sh := s.ofKind(i.kind)
	was := sh.objects[i]
	s.version++
	o.SetResourceVersion(strconv.FormatUint(s.version, 10))
	if was == nil {
		at, _ := slices.BinarySearchFunc(sh.order, i, id.less)
		sh.order = slices.Insert(sh.order, at, i)
	}
	sh.objects[i] = o
	s.notify(was, o)
}

func (s *store) drop(i id) {
	sh := s.ofKind(i.kind)
	was := sh.objects[i]
	delete(sh.objects, i)
	if at, found := slices.BinarySearchFunc(sh.order, i, id.less); found {
		sh.order = slices.Delete(sh.order, at, at+1)
	}
	s.version++
	s.notify(was, nil)
}

func (s *store) notify(was, is client.Object) {
	for _, watch := range s.watchers {
		watch(was, is)
	}
}

// create stores a copy of o, and fills o with what was stored.
func (s *store) create(o client.Object) error {
	i := idOf(o)
	if s.get(i) != nil {
		return apierrors.NewAlreadyExists(resourceOf(i.kind), i.name)
	}
	made := clone(o)
	made.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version+1)))
	made.SetCreationTimestamp(metav1.NewTime(s.w.now.Truncate(1e9)))
	made.SetGeneration(1)
	s.put(made)
	copyInto(o, made)
	return nil
}

// change replaces an object by what f makes of a copy of it; for those whose writes never conflict.
func change[T client.Object](s *store, o T, f func(T)) {
	was := s.get(idOf(o))
	if was == nil || was.GetUID() != o.GetUID() {
		return
	}
	is := clone(was).(T)
	f(is)
	s.replace(was, is)
}

// replace puts is in the place of was, with what the API server does on the way.
func (s *store) replace(was, is client.Object) {
	if !unchanged(was, is) {
		s.commit(was, is, specChanged(was, is))
	}
}

func (s *store) commit(was, is client.Object, spec bool) {
	if spec {
		is.SetGeneration(was.GetGeneration() + 1)
	}
	if is.GetDeletionTimestamp() != nil && len(is.GetFinalizers()) == 0 {
		s.drop(idOf(is))
		return
	}
	s.put(is)
}

// remove is DELETE: it marks an object that has finalizers, and drops one that has none.
func (s *store) remove(i id, uid types.UID) error {
	o := s.get(i)
	switch {
	case o == nil:
		return apierrors.NewNotFound(resourceOf(i.kind), i.name)
	case uid != "" && o.GetUID() != uid:
		return apierrors.NewConflict(resourceOf(i.kind), i.name,
			fmt.Errorf("the UID in the precondition (%s) is not the object's (%s)", uid, o.GetUID()))
	case len(o.GetFinalizers()) == 0:
		s.drop(i)
	case o.GetDeletionTimestamp() == nil:
		marked := clone(o)
		now := metav1.NewTime(s.w.now.Truncate(1e9))
		marked.SetDeletionTimestamp(&now)
		marked.SetGeneration(o.GetGeneration() + 1)
		s.put(marked)
	}
	return nil
}
