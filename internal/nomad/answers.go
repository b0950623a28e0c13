package nomad

import (
	"fmt"
	"slices"
)

// guarded takes a panic for an answer that can't be used. The API's client, and whoever reads its answer, may find a
// null where Nomad never has one, and the server of one pool mustn't end the work for all others.
func guarded(request func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v)", errNoResponse, p)
		}
	}()
	return request()
}

// whole refuses a list that has a null in it, as items does: it may stand for a policy that takes a right away.
func whole[T any](list []*T) error {
	if slices.Contains(list, nil) {
		return errNoResponse
	}
	return nil
}
