package state

import (
	"encoding/json"
)

// change is one object put or deleted.
type change struct {
	Table   string          `json:"t"`
	Object  json.RawMessage `json:"o,omitempty"`
	Deleted string          `json:"d,omitempty"`

	object any
	gone   bool
}

// codec turns objects of a table into lines of the log, and back.
type codec interface {
	replay(t *Txn, c change) error
	dump(t *Txn) []any
}

// log is the file that makes the database outlive the process.
type log struct{}

func (l *log) append(index uint64, changes []change) error {
	return nil
}

func (t *Table[T]) replay(tx *Txn, c change) error { return nil }

func (t *Table[T]) dump(tx *Txn) []any { return nil }
