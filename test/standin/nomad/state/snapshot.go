package state

import (
	"bytes"
	"errors"
	"io"
)

// Save writes all there is, for Restore.
func (s *Store) Save(w io.Writer) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.dump(w, bodies{})
}

// Restore replaces all there is by what Save wrote, and the indexes with it: they may go back (facts/nomad.md §1).
func (s *Store) Restore(r io.Reader) error {
	saved, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	other, err := New()
	if err != nil {
		return err
	}
	if err := other.replay(bytes.NewReader(saved)); err != nil {
		return err
	}
	if other.last == firstIndex {
		return errors.New("not a snapshot")
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	t, from := s.db.Txn(true), &Txn{txn: other.db.Txn(false)}
	for name, of := range tables {
		if _, err := t.DeleteAll(name, "id_prefix", ""); err != nil {
			return err
		}
		for _, object := range of.dump(from) {
			if err := t.Insert(name, object); err != nil {
				return err
			}
		}
		index := (&Snapshot{txn: from.txn}).Index(name)
		if err := t.Insert(indexTable, &tableIndex{Table: name, Index: index}); err != nil {
			return err
		}
	}
	t.Commit()
	s.last = other.last
	s.allocs.reset()
	if s.log == nil {
		return nil
	}
	path := s.log.file.Name()[:len(s.log.file.Name())-len(".new")]
	return errors.Join(s.log.file.Close(), s.rewrite(path))
}
