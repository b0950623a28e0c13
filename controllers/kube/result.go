package kube

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Again is how soon to reconcile again after a step. Most steps also cause an event that comes sooner.
const Again = 200 * time.Millisecond

// Result turns the outcome of a step into when to reconcile again. A conflict is not an error: somebody else has
// written the object, so what was observed is out of date. Nor is one that says when to try again: it is somebody
// else's turn.
func Result(ctx context.Context, acted bool, wake time.Duration, err error) (ctrl.Result, error) {
	var turn interface {
		error
		RetryAfter() time.Duration
	}
	switch {
	case errors.As(err, &turn):
		log.FromContext(ctx).V(1).Info("waiting for a turn", "cause", err.Error())
		return ctrl.Result{RequeueAfter: max(turn.RetryAfter(), Again)}, nil
	case apierrors.IsConflict(err):
		log.FromContext(ctx).V(1).Info("out of date, reconciling again", "cause", err.Error())
		return ctrl.Result{RequeueAfter: Again}, nil
	case err != nil:
		return ctrl.Result{}, err
	case acted:
		return ctrl.Result{RequeueAfter: Again}, nil
	default:
		return ctrl.Result{RequeueAfter: max(wake, 0)}, nil
	}
}

// Sooner is the shorter of two waits; 0: none.
func Sooner(wait, other time.Duration) time.Duration {
	if wait <= 0 || other <= 0 {
		return max(wait, other)
	}
	return min(wait, other)
}

// Exactly is the precondition that the object still has this UID.
func Exactly(uid types.UID) client.Preconditions { return client.Preconditions{UID: &uid} }

// Options are those of each controller.
func Options(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[ctrl.Request](100*time.Millisecond,
			time.Minute),
	}
}
