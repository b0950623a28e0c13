package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
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
	partChanged := false
	if raw, ok := doc[strings.ToLower(part)]; ok && (status || hasStatus(i.kind)) {
		field := reflect.ValueOf(is).Elem().FieldByName(part)
		if err := mergeField(field, raw); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		partChanged = !equality.Semantic.DeepEqual(field.Interface(),
			reflect.ValueOf(was).Elem().FieldByName(part).Interface())
	}
	dataChanged, err := patchData(is, doc["data"])
	if err != nil {
		return nil, err
	}
	if !partChanged && !dataChanged && (status || equality.Semantic.DeepEqual(metaOf(was), metaOf(is))) {
		return was, nil
	}
	s.commit(was, is, partChanged && !status)
	if now := s.get(i); now != nil {
		return now, nil
	}
	return is, nil
}

// patchData patches what a Secret holds.
func patchData(is client.Object, raw json.RawMessage) (changed bool, err error) {
	secret, ok := is.(*corev1.Secret)
	if !ok || raw == nil {
		return false, nil
	}
	if err := mergeField(reflect.ValueOf(&secret.Data).Elem(), raw); err != nil {
		return false, apierrors.NewBadRequest(err.Error())
	}
	return true, nil
}

func metaOf(o client.Object) *metav1.ObjectMeta {
	return o.(metav1.ObjectMetaAccessor).GetObjectMeta().(*metav1.ObjectMeta)
}

func patchMeta(i id, is client.Object, raw json.RawMessage, status bool) error {
	if raw == nil {
		return nil
	}
	meta := metaOf(is)
	var lock struct {
		ResourceVersion string `json:"resourceVersion"`
		UID             string `json:"uid"`
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	if lock.ResourceVersion != "" && lock.ResourceVersion != meta.ResourceVersion ||
		lock.UID != "" && lock.UID != string(meta.UID) {
		return apierrors.NewConflict(resourceOf(i.kind), i.name,
			fmt.Errorf("the object has been modified; please apply your changes to the latest version and try again"))
	}
	if status {
		return nil
	}
	kept := *meta
	if err := mergeField(reflect.ValueOf(meta).Elem(), raw); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	meta.Name, meta.Namespace, meta.UID, meta.Generation = kept.Name, kept.Namespace, kept.UID, kept.Generation
	meta.ResourceVersion, meta.CreationTimestamp, meta.DeletionTimestamp = kept.ResourceVersion, kept.CreationTimestamp,
		kept.DeletionTimestamp
	return nil
}

// mergeField merges a patch into one field of an object, as RFC 7386 says. Only what the patch names is decoded.
func mergeField(field reflect.Value, patch json.RawMessage) error {
	if bytes.Equal(patch, null) {
		field.SetZero()
		return nil
	}
	whole := patch[0] != '{' || field.CanAddr() && field.Addr().Type().Implements(unmarshaler)
	switch kind := field.Kind(); {
	case whole || kind != reflect.Struct && kind != reflect.Map && kind != reflect.Pointer:
		return mergeWhole(field, patch)
	case kind == reflect.Pointer:
		fresh := reflect.New(field.Type().Elem())
		if !field.IsNil() {
			fresh.Elem().Set(field.Elem())
		}
		field.Set(fresh)
		return mergeField(fresh.Elem(), patch)
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(patch, &doc); err != nil {
		return err
	}
	for name, raw := range doc {
		if err := mergeMember(field, name, raw); err != nil {
			return err
		}
	}
	return nil
}

var (
	null        = []byte("null")
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func mergeWhole(field reflect.Value, patch json.RawMessage) error {
	fresh := reflect.New(field.Type())
	if err := json.Unmarshal(patch, fresh.Interface()); err != nil {
		return err
	}
	field.Set(fresh.Elem())
	return nil
}

// mergeMember merges one member of a struct or a map.
func mergeMember(field reflect.Value, name string, raw json.RawMessage) error {
	if field.Kind() == reflect.Struct {
		f := named(field, name)
		if !f.IsValid() {
			return fmt.Errorf("%s has no field %s", field.Type(), name)
		}
		return mergeField(f, raw)
	}
	if field.IsNil() {
		field.Set(reflect.MakeMap(field.Type()))
	}
	key := reflect.ValueOf(name).Convert(field.Type().Key())
	if bytes.Equal(raw, null) {
		field.SetMapIndex(key, reflect.Value{})
		return nil
	}
	value := reflect.New(field.Type().Elem()).Elem()
	if err := mergeField(value, raw); err != nil {
		return err
	}
	field.SetMapIndex(key, value)
	return nil
}

// named is the field of a struct, or of one that it embeds, with a name in JSON.
func named(v reflect.Value, name string) reflect.Value {
	for n := range v.NumField() {
		tag, _, _ := strings.Cut(v.Type().Field(n).Tag.Get("json"), ",")
		switch {
		case tag == name:
			return v.Field(n)
		case tag == "" && v.Type().Field(n).Anonymous:
			if f := named(v.Field(n), name); f.IsValid() {
				return f
			}
		}
	}
	return reflect.Value{}
}

func unchanged(was, is client.Object) bool { return equality.Semantic.DeepEqual(was, is) }

func specChanged(was, is client.Object) bool {
	a, b := reflect.ValueOf(was).Elem().FieldByName("Spec"), reflect.ValueOf(is).Elem().FieldByName("Spec")
	return a.IsValid() && !equality.Semantic.DeepEqual(a.Interface(), b.Interface())
}
