package kube

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestParseNamespaces(t *testing.T) {
	for text, want := range map[string][]string{
		"b,a": {"a", "b"}, " a , b,a": {"a", "b"}, "nomad-clients": {"nomad-clients"},
		"": nil, "a,": nil, "a b": nil, "*": nil, "A": nil,
	} {
		got, err := ParseNamespaces(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestListIn(t *testing.T) {
	claim := func(namespace, name string) client.Object {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name,
			Labels: map[string]string{"of": name}}}
	}
	errRefused := errors.New("forbidden")
	c := interceptor.NewClient(fake.NewClientBuilder().WithScheme(Scheme()).WithObjects(claim("a", "1"), claim("a", "2"),
		claim("b", "1"), claim("c", "1")).Build(), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, opts ...client.ListOption) error {
			if o := (&client.ListOptions{}).ApplyOptions(opts); o.Namespace == "c" {
				return errRefused
			}
			return c.List(ctx, l, opts...)
		}})
	for _, test := range []struct {
		namespaces []string
		opts       []client.ListOption
		want       string
	}{
		{nil, nil, "a/1 a/2 b/1 c/1"},
		{[]string{"a", "b"}, nil, "a/1 a/2 b/1"},
		{[]string{"a", "b"}, []client.ListOption{client.MatchingLabels{"of": "1"}}, "a/1 b/1"},
		{[]string{"nowhere"}, nil, ""},
	} {
		l := &metav1.PartialObjectMetadataList{}
		l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaimList"))
		if err := ListIn(t.Context(), c, test.namespaces, l, test.opts...); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range l.Items {
			got = append(got, item.Namespace+"/"+item.Name)
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%q: got %q, want %q", test.namespaces, s, test.want)
		}
	}
	err := ListIn(t.Context(), c, []string{"a", "c"}, &corev1.PersistentVolumeClaimList{})
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "namespace c") {
		t.Errorf("got %v", err)
	}
}
