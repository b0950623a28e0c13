package state_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/go-memdb"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

func TestStoreOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	job := &api.Job{ID: new("job"), Namespace: new("default"), Version: new(uint64(0))}
	write(t, first, func(tx *state.Txn) {
		state.Nodes.Put(tx, node("a"))
		state.Nodes.Put(tx, node("b"))
		state.Jobs.Put(tx, job)
	})
	write(t, first, func(tx *state.Txn) {
		state.Allocs.Put(tx, &api.Allocation{ID: "1", NodeID: "a", JobID: "job", Namespace: "default", Job: job})
		state.Nodes.Delete(tx, "b")
	})
	// A line that a kill cut short is none.
	file, err := os.OpenFile(filepath.Join(dir, "state.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"i":99,"c":[{"t":"no`); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it has been compacted
		again := open(t, dir)
		before, after := first.Read(), again.Read()
		if got, want := after.Index("nodes"), before.Index("nodes"); got != want {
			t.Errorf("index of nodes is %d, was %d", got, want)
		}
		if got, want := state.Nodes.All(after), state.Nodes.All(before); !reflect.DeepEqual(got, want) || len(got) != 1 {
			t.Errorf("nodes are %v, were %v", got, want)
		}
		if got := state.Allocs.By(after, state.ByNode, "a"); len(got) != 1 || got[0].Job == nil || *got[0].Job.ID != "job" {
			t.Errorf("allocations of a are %v", got)
		}
		next := write(t, again, func(tx *state.Txn) { state.Nodes.Put(tx, node("a")) })
		if next <= before.Index() {
			t.Errorf("index %d comes after %d", next, before.Index())
		}
		first = again // what it wrote is to outlive it, too
	}
}

func TestFailedChangeLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	refused := errors.New("refused")
	if _, err := s.Write(func(tx *state.Txn) error {
		state.Nodes.Put(tx, node("a"))
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if state.Nodes.Get(s.Read(), "a") != nil {
		t.Error("the node is there")
	}
}

func TestDeletionsCountAsChangesOfTheTable(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, func(tx *state.Txn) { state.Nodes.Put(tx, node("a")) })
	watch := memdb.NewWatchSet()
	s.Read().Watching(watch).Index("nodes")
	gone := write(t, s, func(tx *state.Txn) { state.Nodes.Delete(tx, "a") })
	if got := s.Read().Index("nodes"); got != gone {
		t.Errorf("index is %d, want %d", got, gone)
	}
	if watch.Watch(time.After(time.Second)) {
		t.Error("nobody woke up")
	}
}

func TestClientsWakeForWhatServersChange(t *testing.T) {
	s := open(t, t.TempDir())
	alloc := api.Allocation{ID: "1", NodeID: "a"}
	placed := write(t, s, func(tx *state.Txn) {
		alloc.AllocModifyIndex = tx.Index
		put := alloc
		state.Allocs.Put(tx, &put)
	})
	if got := s.AwaitAllocs(t.Context(), "a", 1); got != placed {
		t.Errorf("woke at %d, want %d", got, placed)
	}
	alloc.AllocModifyIndex = placed
	write(t, s, func(tx *state.Txn) { put := alloc; state.Allocs.Put(tx, &put) }) // by the client
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got := s.AwaitAllocs(soon, "a", placed); got != placed {
		t.Errorf("woke at %d for its own report", got)
	}
	gone := write(t, s, func(tx *state.Txn) { state.Allocs.Delete(tx, "1") })
	if got := s.AwaitAllocs(t.Context(), "a", placed); got != gone {
		t.Errorf("woke at %d, want %d", got, gone)
	}
}

func TestRestoreGoesBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	early := write(t, s, func(tx *state.Txn) { state.Nodes.Put(tx, node("a")) })
	var saved bytes.Buffer
	if err := s.Save(&saved); err != nil {
		t.Fatal(err)
	}
	write(t, s, func(tx *state.Txn) { state.Nodes.Put(tx, node("b")) })
	if err := s.Restore(&saved); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*state.Store{s, open(t, dir)} {
		if got := state.Nodes.All(s.Read()); len(got) != 1 || s.Read().Index() != early {
			t.Errorf("knows %v at %d, want a at %d", got, s.Read().Index(), early)
		}
	}
	if err := s.Restore(bytes.NewReader(nil)); err == nil {
		t.Error("restored from nothing")
	}
}

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func write(t *testing.T, s *state.Store, change func(*state.Txn)) uint64 {
	t.Helper()
	index, err := s.Write(func(tx *state.Txn) error { change(tx); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func node(id string) *state.Node {
	return &state.Node{Node: api.Node{ID: id, Name: "node " + id}, SecretID: "secret"}
}
