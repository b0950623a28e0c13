package controllers

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// An API server that can't stream what is there is asked for it in pages, and no page is here as a whole while the next
// one is read.
func TestListsAreReadInPages(t *testing.T) {
	const n = 2*pageSize + 50
	var asked []metav1.ListOptions
	var pages []*kubevirtv1.VirtualMachineInstanceList
	list := new(trimmer).inPages(func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
		for _, p := range pages {
			for i := range p.Items {
				if p.Items[i].Spec.Hostname != "" {
					t.Fatal("a page isn't trimmed before the next one is read")
				}
			}
		}
		asked = append(asked, o)
		first, _ := strconv.Atoi(o.Continue)
		page := &kubevirtv1.VirtualMachineInstanceList{}
		page.ResourceVersion = "7"
		for i := first; i < min(first+int(o.Limit), n); i++ {
			vmi := kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("p-", i)}}
			vmi.Spec.Hostname = "trimmed"
			page.Items = append(page.Items, vmi)
		}
		if end := first + len(page.Items); end < n {
			page.Continue = strconv.Itoa(end)
		}
		pages = append(pages, page)
		return page, nil
	})
	// As a reflector asks at first, and again when its watch can't go on.
	for _, o := range []metav1.ListOptions{{ResourceVersion: "0", Limit: 500, LabelSelector: "x"},
		{ResourceVersion: "6", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, LabelSelector: "x"}} {
		asked, pages = nil, nil
		all, err := list(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		at, err := meta.ListAccessor(all)
		if err != nil || meta.LenList(all) != n || at.GetResourceVersion() != "7" {
			t.Fatalf("%d of %d, as of %q, %v", meta.LenList(all), n, at.GetResourceVersion(), err)
		}
		if len(asked) != 3 {
			t.Errorf("%d pages", len(asked))
		}
		for _, a := range asked {
			if a.Limit != pageSize || a.ResourceVersion != "" || a.ResourceVersionMatch != "" || a.LabelSelector != "x" {
				t.Errorf("asked for %+v", a)
			}
		}
	}
}
