package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
)

// pageSize is how many objects of a kind are listed at once. A page is all that the API server has of them, some ten
// times what is kept.
const pageSize = 100

// newInformer makes the informers of the cache. Newer API servers send what is there one by one, as a part of the
// watch; where they don't, it is listed in pages.
func (t *trimmer) newInformer(from toolscache.ListerWatcher, object runtime.Object, resync time.Duration,
	indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	lw := toolscache.ToListerWatcherWithContext(from)
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: t.inPages(lw.ListWithContext), WatchFuncWithContext: lw.WatchWithContext,
	}, object, resync, indexers)
}

// inPages lists a page after the other, and trims each before the next one is read. An informer asks for what the API
// server has in its memory. That is always answered as a whole, and so thousands of members would be here untrimmed,
// and undecoded beside it. Pages are only of what is stored; that costs the API server more, but not the controller its
// life.
func (t *trimmer) inPages(list toolscache.ListWithContextFunc) toolscache.ListWithContextFunc {
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		page, err := list(ctx, o)
		if err != nil {
			return nil, err
		}
		return page, meta.EachListItem(page, func(o runtime.Object) error {
			_, err := t.trim(o)
			return err
		})
	})
	pages.FullListIfExpired = false // the informer begins anew
	return func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		o.ResourceVersion, o.ResourceVersionMatch, o.Limit = "", "", pageSize
		all, _, err := pages.ListWithAlloc(ctx, o)
		return all, err
	}
}
