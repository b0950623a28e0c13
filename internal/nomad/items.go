package nomad

import (
	"encoding/json"
	"strconv"

	"github.com/hashicorp/nomad/api"
)

// items calls each with every item of a list, and returns the index of the answer. The API's own client would have
// all of the list in memory at once, as text and as whole nodes or allocations of which little is wanted. A list that
// has a null in it is refused. To leave that out would be wrong: it may stand for an allocation, and a busy node
// would look empty; or for a node, which would look gone. What each was called with before an error is worth nothing.
func items[T any](r *remote, path string, q *api.QueryOptions, bytes, tokens int64,
	each func(*T) error) (index uint64, err error) {
	body, err := r.api.Raw().Response(path, q)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // it has been read, or nobody wants the rest
	l, ok := body.(*limited)
	if !ok {
		return 0, errNoResponse
	}
	l.asList(bytes, tokens)
	if err := decodeItems(l, each); err != nil {
		return 0, err
	}
	index, err = strconv.ParseUint(l.header.Get("X-Nomad-Index"), 10, 64)
	if err != nil {
		index = 0 // the next request doesn't wait
	}
	return index, nil
}

func decodeItems[T any](l *limited, each func(*T) error) error {
	decoder := json.NewDecoder(l)
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('[') {
		return orNoResponse(err)
	}
	for n := 0; ; n++ {
		l.nextItem()
		if !decoder.More() {
			break
		}
		if n == maxItems {
			return errTooLarge
		}
		var item *T
		if err := decoder.Decode(&item); err != nil || item == nil {
			return orNoResponse(err)
		}
		if err := each(item); err != nil {
			return err
		}
	}
	_, err := decoder.Token() // without it the list is not all there
	return err
}

// kept counts the bytes of the texts that are kept of a list.
type kept int

func (k *kept) add(texts ...string) error {
	for _, t := range texts {
		*k += kept(len(t))
	}
	if *k > maxKept {
		return errTooLarge
	}
	return nil
}

func orNoResponse(err error) error {
	if err == nil {
		return errNoResponse
	}
	return err
}
