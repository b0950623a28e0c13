package controllers

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
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

// A list of which the API server has forgotten the state before its last page is begun anew by the informer, in pages
// too: as a whole it may be more than the controller's memory allows.
func TestExpiredListIsBegunAnewInPages(t *testing.T) {
	expired := false
	lw := &toolscache.ListWatch{
		ListWithContextFunc: func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
			page := &kubevirtv1.VirtualMachineInstanceList{Items: make([]kubevirtv1.VirtualMachineInstance, 1)}
			page.ResourceVersion, page.Items[0].Name = "7", "first"+o.Continue
			switch {
			case o.Limit == 0:
				t.Error("all are asked for at once")
			case o.Continue == "":
				page.Continue = "-next"
			case !expired:
				expired = true
				return nil, apierrors.NewResourceExpired("too old")
			}
			return page, nil
		},
		WatchFuncWithContext: func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if o.SendInitialEvents != nil {
				return nil, apierrors.NewInvalid(schema.GroupKind{}, "", nil)
			}
			return watch.NewFake(), nil
		},
	}
	informer := new(trimmer).newInformer(lw, &kubevirtv1.VirtualMachineInstance{}, 0, toolscache.Indexers{})
	go informer.RunWithContext(t.Context())
	if !toolscache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) || !expired {
		t.Fatal("the informer hasn't read the list")
	}
	if got := informer.GetStore().ListKeys(); len(got) != 2 {
		t.Errorf("it has read %v", got)
	}
}
