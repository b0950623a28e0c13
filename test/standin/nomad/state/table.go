package state

import (
	"fmt"

	"github.com/hashicorp/go-memdb"
)

// Table is a kind of objects, each with an ID and the indexes of its first and last change.
type Table[T any] struct {
	// Name is Nomad's for it.
	Name  string
	id    func(*T) string
	by    map[string]func(*T) string
	stamp func(object, old *T, index uint64)
}

// described is a table without its type.
type described interface {
	schema() *memdb.TableSchema
	codec
}

// tables are all there are, by name.
var tables = map[string]described{}

func table[T any](t *Table[T]) *Table[T] {
	tables[t.Name] = t
	return t
}

func (t *Table[T]) schema() *memdb.TableSchema {
	s := &memdb.TableSchema{Name: t.Name, Indexes: map[string]*memdb.IndexSchema{
		"id": {Name: "id", Unique: true, Indexer: indexer[T]{t.id}},
	}}
	for name, of := range t.by {
		s.Indexes[name] = &memdb.IndexSchema{Name: name, AllowMissing: true, Indexer: indexer[T]{of}}
	}
	return s
}

// indexer makes keys of objects without reflection.
type indexer[T any] struct{ of func(*T) string }

// FromObject is the key of an object.
func (i indexer[T]) FromObject(object any) (bool, []byte, error) {
	o, ok := object.(*T)
	if !ok {
		return false, nil, fmt.Errorf("%T is not stored here", object)
	}
	key := i.of(o)
	return key != "", append([]byte(key), 0), nil
}

// FromArgs is the key that is looked for.
func (i indexer[T]) FromArgs(args ...any) ([]byte, error) {
	key, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("%T is no key", args[0])
	}
	return append([]byte(key), 0), nil
}

// PrefixFromArgs is the beginning of the keys that are looked for.
func (i indexer[T]) PrefixFromArgs(args ...any) ([]byte, error) {
	key, ok := args[0].(string)
	if !ok {
		return nil, fmt.Errorf("%T is no key", args[0])
	}
	return []byte(key), nil
}

// Get finds an object by its ID, nil if there is none.
func (t *Table[T]) Get(r Reader, id string) *T {
	return t.FirstBy(r, "id", id)
}

// FirstBy finds the first object by an index, nil if there is none.
func (t *Table[T]) FirstBy(r Reader, index, key string) *T {
	txn, watch := r.view()
	channel, found, err := txn.FirstWatch(t.Name, index, key)
	if err != nil || found == nil { // an error is an index that the table doesn't have
		add(watch, channel)
		return nil
	}
	add(watch, channel)
	object, _ := found.(*T)
	return object
}

// All are all objects by ID.
func (t *Table[T]) All(r Reader) []*T { return t.list(r, "id_prefix", "") }

// Prefix are the objects whose IDs begin so.
func (t *Table[T]) Prefix(r Reader, prefix string) []*T { return t.list(r, "id_prefix", prefix) }

// By are the objects with that key in an index.
func (t *Table[T]) By(r Reader, index, key string) []*T { return t.list(r, index, key) }

func (t *Table[T]) list(r Reader, index, key string) []*T {
	txn, watch := r.view()
	iterator, err := txn.Get(t.Name, index, key)
	if err != nil {
		return nil
	}
	add(watch, iterator.WatchCh())
	var all []*T
	for next := iterator.Next(); next != nil; next = iterator.Next() {
		if object, ok := next.(*T); ok {
			all = append(all, object)
		}
	}
	return all
}

// Put stores an object, new or in the place of the one with its ID, and sets its indexes.
func (t *Table[T]) Put(tx *Txn, object *T) {
	t.stamp(object, t.Get(tx, t.id(object)), tx.Index)
	tx.fail(tx.txn.Insert(t.Name, object))
	tx.touch(t.Name)
	tx.changes = append(tx.changes, change{Table: t.Name, object: object})
	tx.notice(object)
}

// Delete removes an object, and does nothing if there is none.
func (t *Table[T]) Delete(tx *Txn, id string) {
	old := t.Get(tx, id)
	if old == nil {
		return
	}
	tx.fail(tx.txn.Delete(t.Name, old))
	tx.touch(t.Name)
	tx.changes = append(tx.changes, change{Table: t.Name, Deleted: id})
	tx.notice(old)
}

func add(watch memdb.WatchSet, channel <-chan struct{}) {
	if watch != nil && channel != nil {
		watch.Add(channel)
	}
}
