package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// fakeProvisioner is NOT Harvester's code. It stands in for Longhorn and the
// volume binder: a claim of a storage class that exists becomes Bound, with no
// volume behind it. A claim of an unknown class stays Pending, as it would.
type fakeProvisioner struct {
	client  kubernetes.Interface
	claims  corelisters.PersistentVolumeClaimLister
	classes storagelisters.StorageClassLister
	queue   workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

// unknownClassRetry is how long a claim whose storage class is missing waits for
// another look.
const unknownClassRetry = 2 * time.Second

func startFakeProvisioner(ctx context.Context, restConfig *rest.Config) error {
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	p, factory, err := newFakeProvisioner(client)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("cache of %s did not fill", kind)
		}
	}
	go p.work(ctx)
	context.AfterFunc(ctx, p.queue.ShutDown)
	return nil
}

// newFakeProvisioner wires the provisioner to caches that are yet to be started.
func newFakeProvisioner(client kubernetes.Interface) (*fakeProvisioner, informers.SharedInformerFactory, error) {
	factory := informers.NewSharedInformerFactory(client, 0)
	claims, classes := factory.Core().V1().PersistentVolumeClaims(), factory.Storage().V1().StorageClasses()
	p := &fakeProvisioner{
		client:  client,
		claims:  claims.Lister(),
		classes: classes.Lister(),
		queue:   workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()),
	}
	_, err := claims.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    p.enqueue,
		UpdateFunc: func(_, claim any) { p.enqueue(claim) },
	})
	return p, factory, err
}

func (p *fakeProvisioner) enqueue(object any) {
	if claim, ok := object.(*corev1.PersistentVolumeClaim); ok && provisionable(claim) {
		p.queue.Add(cache.MetaObjectToName(claim))
	}
}

func provisionable(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Status.Phase == corev1.ClaimPending && claim.DeletionTimestamp == nil && claim.Spec.StorageClassName != nil
}

func (p *fakeProvisioner) work(ctx context.Context) {
	for {
		name, shutdown := p.queue.Get()
		if shutdown {
			return
		}
		err := p.bind(ctx, name)
		switch {
		case err == nil:
			p.queue.Forget(name)
		case errors.Is(err, errUnknownClass):
			p.queue.AddAfter(name, unknownClassRetry)
		default:
			logrus.Warnf("fake provisioner: claim %s: %v", name, err)
			p.queue.AddRateLimited(name)
		}
		p.queue.Done(name)
	}
}

var errUnknownClass = errors.New("unknown storage class")

// bind marks one claim Bound. A claim that has gone, or is bound, is done.
func (p *fakeProvisioner) bind(ctx context.Context, name cache.ObjectName) error {
	claim, err := p.claims.PersistentVolumeClaims(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) || err == nil && !provisionable(claim) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := p.classes.Get(*claim.Spec.StorageClassName); apierrors.IsNotFound(err) {
		return errUnknownClass
	} else if err != nil {
		return err
	}
	claim = claim.DeepCopy()
	claim.Status = corev1.PersistentVolumeClaimStatus{
		Phase:       corev1.ClaimBound,
		AccessModes: claim.Spec.AccessModes,
		Capacity:    claim.Spec.Resources.Requests,
	}
	_, err = p.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
