package nomad

import (
	"fmt"
	"slices"
)

// catchPanic runs a request and turns a panic into an error. The API's client and our own code panic if an answer has a
// null where Nomad never has one. The server of one pool mustn't end the process that serves all pools.
func catchPanic(request func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%v)", errNoResponse, p)
		}
	}()
	return request()
}

// whole returns an error if a list has a null in it, as items does: the null may stand for a policy that takes a right
// away.
func whole[T any](list []*T) error {
	if slices.Contains(list, nil) {
		return errNoResponse
	}
	return nil
}
