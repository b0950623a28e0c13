package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// watchForLeaks takes in all that the product writes, or that is made of it, until the environment's end. What people
// write is left out: the data of Secrets, the cloud-init that a pool contains, which its members repeat, and what
// kubectl repeats of them in an annotation.
func (w *Environment) watchForLeaks() error {
	see := func(o runtime.Object) {
		if s, ok := o.(*corev1.Secret); ok {
			for key, value := range s.Data {
				w.Secrets.AddAllIn(fmt.Sprintf("key %s of Secret %s", key, s.Name), string(value))
			}
		}
		if err := w.written.Add(fmt.Sprintf("%T", o), o, "cloudInit", "data", "stringData",
			corev1.LastAppliedConfigAnnotation); err != nil {
			panic(err) // an object of the API server is JSON
		}
	}
	return w.Follow(see, &v1alpha1.NomadNodePoolList{}, &v1alpha1.NomadNodeList{}, &eventsv1.EventList{},
		&corev1.SecretList{}, &corev1.PersistentVolumeClaimList{}, &kubevirtv1.VirtualMachineList{},
		&kubevirtv1.VirtualMachineInstanceList{}, &coordinationv1.LeaseList{})
}

// Leaks looks for all secrets in what the product has written into objects, logs and metrics, and says where it found
// which. It is an error if the product has run and nothing of it was seen.
func (w *Environment) Leaks(ctx context.Context) ([]string, error) {
	if len(w.Controllers()) > 0 && (w.written.Count() == 0 || w.Secrets.Count() == 0) {
		return nil, errors.New("no object was seen, or no secret is known")
	}
	leaks := w.written.Leaks(w.Secrets)
	for _, file := range w.ProductLogs() {
		found, err := w.Secrets.InFile(file)
		if err != nil {
			return nil, err
		}
		leaks = append(leaks, found...)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, c := range w.Controllers() {
		if !c.Running() {
			continue // a test has stopped it
		}
		metrics, err := c.Metrics(ctx)
		if err != nil {
			return nil, err
		}
		for _, hit := range w.Secrets.Find(metrics) {
			leaks = append(leaks, fmt.Sprintf("metrics at byte %d: %s of %s", hit.Offset, hit.As, hit.Name))
		}
	}
	return leaks, nil
}

// leaked reports whether there are leaks, and prints them.
func (w *Environment) leaked() bool {
	leaks, err := w.Leaks(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "looking for secrets:", err)
	}
	if len(leaks) > 0 {
		fmt.Fprintf(os.Stderr, "the product wrote secrets:\n%s\n", strings.Join(leaks, "\n"))
	}
	return err != nil || len(leaks) > 0
}
