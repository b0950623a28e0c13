package state

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// log is the file that makes the database outlive the process: a line for each change, which is written before the
// change can be seen. It isn't synced: what a kill of the process leaves is what it has to survive.
type log struct {
	file   *os.File
	bodies bodies
}

// line is one change, or at the beginning of a file all that there is.
type line struct {
	Index   uint64            `json:"i"`
	Changes []change          `json:"c"`
	Tables  map[string]uint64 `json:"x,omitempty"` // indexes of the tables, in the first line alone
}

// change is one object put or deleted.
type change struct {
	Table   string          `json:"t"`
	Object  json.RawMessage `json:"o,omitempty"`
	Deleted string          `json:"d,omitempty"`

	object any
}

// Open makes a database with what an earlier one left in the directory.
func Open(dir string) (*Store, error) {
	s, err := New()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "state.log")
	if err := s.load(path); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := s.rewrite(path); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return s, nil
}

// Close closes the log. What is written afterwards fails.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.log == nil {
		return nil
	}
	return s.log.file.Close()
}

func (s *Store) load(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return s.replay(file)
}

// replay takes lines until the end, or until one that a kill cut short.
func (s *Store) replay(r io.Reader) error {
	reader, known := bufio.NewReaderSize(r, 1<<20), map[string]body{}
	for {
		text, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		if err := s.replayLine(l, known); err != nil {
			return fmt.Errorf("index %d: %w", l.Index, err)
		}
	}
}

func (s *Store) replayLine(l line, known map[string]body) error {
	t := &Txn{Index: l.Index, txn: s.db.Txn(true)}
	for _, c := range l.Changes {
		if c.Table == bodyTable {
			if err := remember(known, c.Object); err != nil {
				return err
			}
			continue
		}
		of, ok := tables[c.Table]
		if !ok {
			return fmt.Errorf("no table %s", c.Table)
		}
		t.fail(of.replay(t, c, known))
		t.touch(c.Table)
	}
	for name, index := range l.Tables {
		t.fail(t.txn.Insert(indexTable, &tableIndex{Table: name, Index: index}))
	}
	if t.err != nil {
		return t.err
	}
	t.txn.Commit()
	s.last = l.Index
	return nil
}

// rewrite puts all there is into the first line of a new file, and goes on with that.
func (s *Store) rewrite(path string) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	l := &log{file: file, bodies: bodies{}}
	if err := s.dump(file, l.bodies); err != nil {
		return errors.Join(err, file.Close())
	}
	s.log = l
	return os.Rename(path+".new", path)
}

// dump writes all there is as one line.
func (s *Store) dump(w io.Writer, written bodies) error {
	whole := line{Index: s.last, Tables: map[string]uint64{}}
	t := &Txn{txn: s.db.Txn(false)}
	for name, of := range tables {
		whole.Tables[name] = (&Snapshot{txn: t.txn}).Index(name)
		for _, object := range of.dump(t) {
			whole.Changes = append(whole.Changes, change{Table: name, object: object})
		}
	}
	return whole.write(w, written)
}

func (l *log) append(index uint64, changes []change) error {
	if l == nil {
		return nil
	}
	return line{Index: index, Changes: changes}.write(l.file, l.bodies)
}

func (l line) write(w io.Writer, written bodies) error {
	changes := make([]change, 0, len(l.Changes))
	for _, c := range l.Changes {
		if c.object == nil {
			changes = append(changes, c)
			continue
		}
		stored, before, err := written.strip(c.object)
		if err != nil {
			return err
		}
		changes = append(changes, before...)
		if c.Object, err = json.Marshal(stored); err != nil {
			return err
		}
		changes = append(changes, c)
	}
	l.Changes = changes
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
