package state

import (
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"
)

// Store is the database.
type Store struct {
	db  *memdb.MemDB
	log *log // nil: forgotten with the process

	writing sync.Mutex // serialises Write; guards the one below
	last    uint64

	allocs *allocWatches
	// OnCommit, if set before the first Write, is told of each change in order, while the next has to wait.
	OnCommit func(index uint64, changed []any)
}

// Reader is what can be read from: a Snapshot, or a Txn under way.
type Reader interface {
	view() (*memdb.Txn, memdb.WatchSet)
}

// Snapshot is the database as it was at one moment.
type Snapshot struct {
	txn   *memdb.Txn
	watch memdb.WatchSet
}

// Txn is a change under way.
type Txn struct {
	// Index is the raft index of the change.
	Index uint64

	txn     *memdb.Txn
	changes []change
	changed []any
	err     error
}

// firstIndex: before what anybody writes, Nomad's own entries took some indexes.
const firstIndex = 10

const indexTable = "index"

// tableIndex is the index of the last change in a table.
type tableIndex struct {
	Table string
	Index uint64
}

// New makes an empty database that the process forgets.
func New() (*Store, error) {
	schema := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		indexTable: {Name: indexTable, Indexes: map[string]*memdb.IndexSchema{
			"id": {Name: "id", Unique: true, Indexer: indexer[tableIndex]{func(i *tableIndex) string { return i.Table }}},
		}},
	}}
	for name, t := range tables {
		schema.Tables[name] = t.schema()
	}
	db, err := memdb.NewMemDB(schema)
	if err != nil {
		return nil, fmt.Errorf("make the database: %w", err)
	}
	return &Store{db: db, last: firstIndex, allocs: newAllocWatches()}, nil
}

// Read is the database as it is now.
func (s *Store) Read() *Snapshot { return &Snapshot{txn: s.db.Txn(false)} }

// Watching is the snapshot, with what is read from it put into the watch set.
func (s *Snapshot) Watching(watch memdb.WatchSet) *Snapshot {
	return &Snapshot{txn: s.txn, watch: watch}
}

func (s *Snapshot) view() (*memdb.Txn, memdb.WatchSet) { return s.txn, s.watch }

func (t *Txn) view() (*memdb.Txn, memdb.WatchSet) { return t.txn, nil }

// Index is the index of the last change in any of the tables, deletions included; without tables that of the last
// change.
func (s *Snapshot) Index(names ...string) uint64 {
	if len(names) == 0 {
		for name := range tables {
			names = append(names, name)
		}
	}
	highest := uint64(0)
	for _, name := range names {
		channel, found, err := s.txn.FirstWatch(indexTable, "id", name)
		add(s.watch, channel)
		if i, ok := found.(*tableIndex); ok && err == nil {
			highest = max(highest, i.Index)
		}
	}
	return highest
}

// Write changes the database under one index: all that do does, or nothing if it returns an error. When Write returns,
// the change outlives the process.
func (s *Store) Write(do func(*Txn) error) (uint64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	t := &Txn{Index: s.last + 1, txn: s.db.Txn(true)}
	if err := errors.Join(do(t), t.err); err != nil {
		t.txn.Abort()
		return 0, err
	}
	if len(t.changes) == 0 {
		t.txn.Abort()
		return s.last, nil
	}
	if err := s.log.append(t.Index, t.changes); err != nil {
		t.txn.Abort()
		return 0, fmt.Errorf("write the log: %w", err)
	}
	s.last = t.Index
	t.txn.Commit()
	s.allocs.committed(t.Index, t.changed)
	if s.OnCommit != nil {
		s.OnCommit(t.Index, t.changed)
	}
	return t.Index, nil
}

func (t *Txn) fail(err error) { t.err = errors.Join(t.err, err) }

func (t *Txn) touch(name string) {
	t.fail(t.txn.Insert(indexTable, &tableIndex{Table: name, Index: t.Index}))
}

func (t *Txn) notice(object any) { t.changed = append(t.changed, object) }

// AllocsOf are the allocations of a job, those of an earlier job of that name included.
func AllocsOf(r Reader, namespace, job string) []*api.Allocation {
	return Allocs.By(r, ByJob, Key(namespace, job))
}
