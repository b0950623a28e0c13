package kube

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// turnError says when it is its turn.
type turnError struct{ after time.Duration }

func (turnError) Error() string               { return "not asked" }
func (e turnError) RetryAfter() time.Duration { return e.after }

func TestResultOfErrors(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "nomadnodes"}, "p-1", errors.New("changed"))
	broken, turn := errors.New("no answer"), turnError{5 * time.Second}
	for name, c := range map[string]struct {
		err   error
		again time.Duration
		fails bool
	}{
		"none":           {nil, 7 * time.Second, false},
		"a conflict":     {fmt.Errorf("patch: %w", conflict), Again, false},
		"a turn":         {fmt.Errorf("Drain: %w", turn), 5 * time.Second, false},
		"a turn at once": {turnError{}, Again, false},
		"a failure":      {broken, 0, true},
		"a turn, and a status that isn't written": {errors.Join(turn, fmt.Errorf("status: %w", broken)), 0, true},
		"a conflict, and a failure":               {errors.Join(conflict, broken), 0, true},
		"several of a step, one of which fails":   {fmt.Errorf("DeleteClaims: %w", errors.Join(conflict, broken)), 0, true},
		"a turn, and a status out of date":        {errors.Join(turn, conflict), Again, false},
		"two turns":                               {errors.Join(turnError{time.Minute}, turn), 5 * time.Second, false},
		"a refusal":                               {apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "s", broken), 0, true},
	} {
		res, err := Result(t.Context(), false, 7*time.Second, c.err)
		if res.RequeueAfter != c.again || (err != nil) != c.fails || c.fails && !errors.Is(err, c.err) {
			t.Errorf("%s: again after %s, %v", name, res.RequeueAfter, err)
		}
	}
	if res, err := Result(t.Context(), true, 7*time.Second, nil); res.RequeueAfter != Again || err != nil {
		t.Errorf("after a step: again after %s, %v", res.RequeueAfter, err)
	}
}
