package controllers

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"weak"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Bounds of what is remembered to be shared. When there is more, it begins anew, and some of it is there twice.
const (
	maxSharedTexts = 10_000
	maxSharedText  = 256 // bytes
	maxSharedPools = 1000
)

// shared has objects of the cache share what is equal in many of them. The members of a pool differ in little but their
// names and IDs, and each has a copy of the template. Nobody changes an object of the cache. Its zero value shares
// nothing yet, and all methods may be called at the same time.
type shared struct {
	mu      sync.Mutex
	texts   map[string]string
	labels  map[string]map[string]string
	members map[poolRevision]weak.Pointer[v1alpha1.NomadNode]
}

// poolRevision is what members that were made from the same template have in common.
type poolRevision struct{ poolUID, revision string }

// textsOf replaces each text by an equal one that others have as well.
func (s *shared) textsOf(texts ...*string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range texts {
		*t = s.text(*t)
	}
}

// text is called with the lock held.
func (s *shared) text(t string) string {
	if t == "" || len(t) > maxSharedText {
		return t
	}
	if same, ok := s.texts[t]; ok {
		return same
	}
	t = strings.Clone(t) // or it would keep what it is a part of
	remember(&s.texts, t, t, maxSharedTexts)
	return t
}

// meta shares the labels, and those texts of the metadata that aren't the object's own.
func (s *shared) meta(t *metav1.TypeMeta, m *metav1.ObjectMeta) {
	s.textsOf(&t.Kind, &t.APIVersion, &m.Namespace)
	for i := range m.Finalizers {
		s.textsOf(&m.Finalizers[i])
	}
	for i := range m.OwnerReferences {
		s.textsOf(&m.OwnerReferences[i].Kind, &m.OwnerReferences[i].APIVersion)
	}
	if len(m.Labels) > 0 {
		m.Labels = s.labelsOf(m.Labels)
	}
}

// labelsOf are equal labels that others have as well.
func (s *shared) labelsOf(labels map[string]string) map[string]string {
	var key strings.Builder
	for _, name := range usedKeys {
		if value, ok := labels[name]; ok {
			key.WriteString(name + "=" + value + ",")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if same, ok := s.labels[key.String()]; ok {
		return same
	}
	remember(&s.labels, key.String(), labels, maxSharedPools)
	return labels
}

// member shares what a member was made from, and what most members say of themselves.
func (s *shared) member(n *v1alpha1.NomadNode) {
	s.specOf(n)
	n.Status.Conditions = slices.Clone(n.Status.Conditions) // a decoded list has capacity for more
	for i := range n.Status.Conditions {
		c := &n.Status.Conditions[i]
		s.textsOf(&c.Type, (*string)(&c.Status), &c.Reason, &c.Message) //nolint:forbidigo // nothing is decided by it
	}
	for i := range n.OwnerReferences {
		s.textsOf(&n.OwnerReferences[i].Name, (*string)(&n.OwnerReferences[i].UID))
	}
	s.textsOf((*string)(&n.Status.Phase), &n.Status.VM.Status, &n.Status.VM.Host, &n.Status.Nomad.Status,
		&n.Status.Nomad.Cluster)
}

// specOf shares the parts of a member's spec that are equal to those of the member of its pool and revision that was
// read last. That one is remembered for as long as the cache holds it.
func (s *shared) specOf(n *v1alpha1.NomadNode) {
	of := poolRevision{n.Spec.PoolUID, n.Spec.Revision}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.members[of].Value(); other != nil {
		is, was := &n.Spec, &other.Spec
		of = poolRevision{was.PoolUID, was.Revision}
		is.PoolUID, is.Revision = of.poolUID, of.revision
		share(&is.PoolName, was.PoolName)
		share(&is.Template, was.Template)
		share(&is.Nomad, was.Nomad)
		share(&is.ScaleIn, was.ScaleIn)
		share(&is.Health, was.Health)
	}
	remember(&s.members, of, weak.Make(n), maxSharedPools)
}

// remember puts a value into a map, which begins anew when it is full.
func remember[K comparable, V any](in *map[K]V, key K, value V, most int) {
	if _, known := (*in)[key]; *in == nil || !known && len(*in) >= most {
		*in = map[K]V{}
	}
	(*in)[key] = value
}

// share replaces a value by an equal one.
func share[T any](is *T, was T) {
	if reflect.DeepEqual(*is, was) {
		*is = was
	}
}
