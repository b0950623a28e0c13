package sim

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// patch applies a JSON merge patch to the object or to its status, as the API server does.
func (s *store) patch(i id, data []byte, status bool) (client.Object, error) {
	was := s.get(i)
	if was == nil {
		return nil, apierrors.NewNotFound(resourceOf(i.kind), i.name)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	is := clone(was)
	if err := patchMeta(i, is, doc["metadata"], status); err != nil {
		return nil, err
	}
	part := "Spec"
	if status {
		part = "Status"
	}
	field := map[string]string{"Spec": "spec", "Status": "status"}[part]
	if raw, ok := doc[field]; ok && (status || hasStatus(i.kind)) {
		if err := mergeField(reflect.ValueOf(is).Elem().FieldByName(part), raw); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	s.replace(was, is)
	if now := s.get(i); now != nil {
		return now, nil
	}
	return is, nil
}

func patchMeta(i id, is client.Object, raw json.RawMessage, status bool) error {
	if raw == nil {
		return nil
	}
	meta := is.(metav1.ObjectMetaAccessor).GetObjectMeta().(*metav1.ObjectMeta)
	var lock struct {
		ResourceVersion string `json:"resourceVersion"`
		UID             string `json:"uid"`
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if lock.ResourceVersion != "" && lock.ResourceVersion != meta.ResourceVersion || lock.UID != "" && lock.UID != string(meta.UID) {
		return apierrors.NewConflict(resourceOf(i.kind), i.name, fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
	}
	if status {
		return nil
	}
	kept := *meta
	if err := mergeField(reflect.ValueOf(meta).Elem(), raw); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	meta.Name, meta.Namespace, meta.UID, meta.Generation = kept.Name, kept.Namespace, kept.UID, kept.Generation
	meta.ResourceVersion, meta.CreationTimestamp, meta.DeletionTimestamp = kept.ResourceVersion, kept.CreationTimestamp, kept.DeletionTimestamp
	return nil
}

// mergeField merges a patch into one field of an object.
func mergeField(field reflect.Value, patch json.RawMessage) error {
	before, err := json.Marshal(field.Interface())
	if err != nil {
		return err
	}
	var doc, change any
	if err := json.Unmarshal(before, &doc); err != nil {
		return err
	}
	if err := json.Unmarshal(patch, &change); err != nil {
		return err
	}
	after, err := json.Marshal(merge(doc, change))
	if err != nil {
		return err
	}
	fresh := reflect.New(field.Type())
	if err := json.Unmarshal(after, fresh.Interface()); err != nil {
		return err
	}
	field.Set(fresh.Elem())
	return nil
}

// merge is RFC 7386.
func merge(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(t, k)
		} else {
			t[k] = merge(t[k], v)
		}
	}
	return t
}

func unchanged(was, is client.Object) bool { return equality.Semantic.DeepEqual(was, is) }

func specChanged(was, is client.Object) bool {
	a, b := reflect.ValueOf(was).Elem().FieldByName("Spec"), reflect.ValueOf(is).Elem().FieldByName("Spec")
	return a.IsValid() && !equality.Semantic.DeepEqual(a.Interface(), b.Interface())
}
