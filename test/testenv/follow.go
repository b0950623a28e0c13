package testenv

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follow has see be called with all objects of these kinds, each time that they change, until the environment's end. A
// kind need not be installed yet.
func (w *Environment) Follow(see func(runtime.Object), kinds ...client.ObjectList) error {
	scheme, err := Scheme()
	if err != nil {
		return err
	}
	c, err := client.NewWithWatch(w.RESTConfig, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	ctx := w.following
	for _, kind := range kinds {
		go func() {
			again := time.NewTicker(400 * time.Millisecond) // the tests cut connections
			defer again.Stop()
			for ctx.Err() == nil {
				if changes, err := c.Watch(ctx, kind); err == nil {
					for change := range changes.ResultChan() {
						see(change.Object)
					}
				}
				select {
				case <-ctx.Done():
				case <-again.C:
				}
			}
		}()
	}
	return nil
}
