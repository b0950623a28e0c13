package nomad

import (
	"encoding/json"
	"strconv"

	"github.com/hashicorp/nomad/api"
)

// answer is what there is to know of a list beside its items.
type answer struct {
	index uint64
	bytes int64 // how many were read
}

// items calls each with every item of a list. The API's own client would hold the
// whole list in memory, as text and as complete nodes or allocations of which little is needed. A list with a null in
// it is an error. Skipping the null would be wrong: it may stand for an allocation, and a busy node would look empty,
// or for a node, which would look deleted. After an error the items that each has seen must not be used.
func items[T any](r *remote, path string, q *api.QueryOptions, bytes, tokens int64,
	each func(*T) error) (a answer, err error) {
	body, err := r.api.Raw().Response(path, q)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = body.Close() }() // it has been read, or the rest isn't needed
	l, ok := body.(*limited)
	if !ok {
		return answer{}, errNoResponse
	}
	l.asList(bytes, tokens)
	err = decodeItems(l, each)
	a.bytes = maxList - l.left
	if err != nil {
		return a, err
	}
	// Without an index it stays 0, so that the next request doesn't wait.
	a.index, _ = strconv.ParseUint(l.header.Get("X-Nomad-Index"), 10, 64)
	return a, nil
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

func orNoResponse(err error) error {
	if err == nil {
		return errNoResponse
	}
	return err
}
