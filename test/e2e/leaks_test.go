package e2e

import (
	"context"
	"crypto/rand"
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
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/canary"
)

// passwordOfGuests is a secret in the user data of every pool that has none of its own.
var passwordOfGuests = rand.Text()

// written is what was in any object that the product writes, or that is made of one of its.
var written canary.Seen

// scanned runs tests, and fails if anything that the product wrote meanwhile holds a secret.
type scanned struct{ testenv.Tests }

// Run runs the tests.
func (s scanned) Run() int {
	code := s.Tests.Run()
	leaks, err := leaked(context.Background(), w)
	if err != nil {
		fmt.Fprintln(os.Stderr, "looking for secrets:", err)
		return 1
	}
	if len(leaks) > 0 {
		fmt.Fprintf(os.Stderr, "the product wrote secrets:\n%s\n", strings.Join(leaks, "\n"))
		return 1
	}
	return code
}

// watchForLeaks reads along until the environment's end. What people write is left out: the data of Secrets, and the
// cloud-init that a pool holds, which its members repeat.
func watchForLeaks(w *testenv.Environment) error {
	if err := w.Secrets.Add("the user data of a pool", passwordOfGuests); err != nil {
		return err
	}
	see := func(o runtime.Object) {
		if s, ok := o.(*corev1.Secret); ok {
			for key, value := range s.Data {
				w.Secrets.AddAllIn(fmt.Sprintf("key %s of Secret %s", key, s.Name), string(value))
			}
		}
		if err := written.Add(fmt.Sprintf("%T", o), o, "cloudInit", "data", "stringData"); err != nil {
			panic(err) // an object of the API server is JSON
		}
	}
	return follow(w, see, &v1alpha1.NomadNodePoolList{}, &v1alpha1.NomadNodeList{}, &eventsv1.EventList{},
		&corev1.SecretList{}, &corev1.PersistentVolumeClaimList{}, &kubevirtv1.VirtualMachineList{},
		&kubevirtv1.VirtualMachineInstanceList{}, &coordinationv1.LeaseList{})
}

// leaked looks for all secrets in what was seen, in the logs and in the metrics, and says where it found which.
func leaked(ctx context.Context, w *testenv.Environment) ([]string, error) {
	leaks := written.Leaks(w.Secrets)
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
		if !runs(c) {
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

func runs(c *testenv.Controller) bool {
	if c.Process() == nil {
		return false
	}
	select {
	case <-c.Process().Done():
		return false
	default:
		return true
	}
}
