package state

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// bodyTable isn't a table: it holds the jobs that allocations have in them, each once and not with every allocation.
const bodyTable = "#job"

// body is the job of allocations.
type body struct {
	Key string
	Job *api.Job
}

// bodies are those that were written already.
type bodies map[string]bool

// storedAlloc is an allocation without its job.
type storedAlloc struct {
	*api.Allocation
	Body string
}

func bodyKey(j *api.Job) string {
	return fmt.Sprintf("%s\x00%d\x00%d", JobKey(j), Value(j.CreateIndex), Value(j.Version))
}

// strip is how an object is stored, after the body that it needs.
func (b bodies) strip(object any) (any, []change, error) {
	alloc, ok := object.(*api.Allocation)
	if !ok || alloc.Job == nil {
		return object, nil, nil
	}
	bare := *alloc
	bare.Job = nil
	key := bodyKey(alloc.Job)
	stored := storedAlloc{&bare, key}
	if b[key] {
		return stored, nil, nil
	}
	text, err := json.Marshal(body{key, alloc.Job})
	if err != nil {
		return nil, nil, err
	}
	b[key] = true
	return stored, []change{{Table: bodyTable, Object: text}}, nil
}

func remember(known map[string]body, text json.RawMessage) error {
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	known[b.Key] = b
	return nil
}

// codec turns objects of a table into lines of the log, and back.
type codec interface {
	replay(t *Txn, c change, known map[string]body) error
	dump(t *Txn) []any
}

func (t *Table[T]) replay(tx *Txn, c change, known map[string]body) error {
	if c.Object == nil {
		if old := t.Get(tx, c.Deleted); old != nil {
			return tx.txn.Delete(t.Name, old)
		}
		return nil
	}
	object := new(T)
	if err := json.Unmarshal(c.Object, object); err != nil {
		return err
	}
	if alloc, ok := any(object).(*api.Allocation); ok {
		var ref struct{ Body string }
		if err := json.Unmarshal(c.Object, &ref); err != nil {
			return err
		}
		alloc.Job = known[ref.Body].Job
	}
	return tx.txn.Insert(t.Name, object)
}

func (t *Table[T]) dump(tx *Txn) []any {
	var all []any
	for _, object := range t.All(tx) {
		all = append(all, object)
	}
	return all
}
