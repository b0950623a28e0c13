package kube

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Again is how soon to reconcile again after a step. Most steps also cause an event that comes sooner.
const Again = 200 * time.Millisecond

// Result turns the outcome of a step into when to reconcile again. A conflict is not an error: somebody else has
// written the object, so what was observed is out of date. Nor is one that says when to try again: it is somebody
// else's turn. Of several errors that were joined each counts: an answer that was late must not hide that the status
// couldn't be written.
func Result(ctx context.Context, acted bool, wake time.Duration, err error) (ctrl.Result, error) {
	again, passes := passing(err)
	switch {
	case err == nil && acted:
		return ctrl.Result{RequeueAfter: Again}, nil
	case err == nil:
		return ctrl.Result{RequeueAfter: max(wake, 0)}, nil
	case passes:
		log.FromContext(ctx).V(1).Info("out of date, or waiting for a turn; reconciling again", "cause", err.Error())
		return ctrl.Result{RequeueAfter: max(again, Again)}, nil
	default:
		return ctrl.Result{}, err
	}
}

// passing reports whether an error, and each one of those that are joined in it, passes by itself, and when to try
// again.
func passing(err error) (again time.Duration, passes bool) {
	switch e := err.(type) { //nolint:errorlint // the chain is followed here, one error after the other
	case interface{ RetryAfter() time.Duration }:
		return e.RetryAfter(), true
	case apierrors.APIStatus:
		return Again, apierrors.IsConflict(err)
	case interface{ Unwrap() error }:
		return passing(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			next, passes := passing(part)
			if !passes {
				return 0, false
			}
			again = nodestate.Sooner(again, max(next, Again))
		}
		return again, true
	default:
		return 0, false
	}
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
