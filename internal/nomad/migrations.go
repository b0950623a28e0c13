package nomad

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
)

// migrations remembers what doesn't have to be asked again about data that may move.
type migrations struct {
	mu sync.Mutex
	// settled are the IDs of next allocations that fetch nothing, or nothing any more.
	settled map[string]struct{}
	jobs    map[jobKey]migration
}

// jobKey is a group of a version of a job.
type jobKey struct {
	namespace, id, group string
	version              uint64
}

// migration is whether a group's data moves. It is known of the allocations that were created from since to until: a
// job may be purged, and another of its name may have the same version.
type migration struct {
	moves        bool
	since, until uint64
}

// beginning is an allocation that hasn't begun to run.
type beginning struct {
	id      string
	job     jobKey
	created uint64
}

func beginningFrom(s *api.AllocationListStub) beginning {
	return beginning{id: s.ID, created: s.CreateIndex, job: jobKey{s.Namespace, s.JobID, s.TaskGroup, s.JobVersion}}
}

func newMigrations() *migrations {
	return &migrations{settled: map[string]struct{}{}, jobs: map[jobKey]migration{}}
}

// unsettled are the IDs of the next allocations that have to be asked for, those that concern the same node together.
func (m *migrations) unsettled(former replacedBy) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range former {
		if _, ok := m.settled[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return strings.Compare(former[a].NodeID+a, former[b].NodeID+b)
	})
	return ids
}

// settle remembers that an allocation fetches nothing.
func (m *migrations) settle(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settled[id] = struct{}{}
}

// of says if the data of an allocation's job moves.
func (m *migrations) of(b beginning) (moves, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	is, ok := m.jobs[b.job]
	return is.moves, ok && is.since <= b.created && b.created <= is.until
}

// learn remembers it, for all allocations between the job's beginning and this one.
func (m *migrations) learn(b beginning, moves bool, since uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs[b.job] = migration{moves, min(since, b.created), b.created}
}

// keep forgets what no allocation needs any more.
func (m *migrations) keep(former replacedBy) {
	jobs := map[[2]string]struct{}{}
	for _, a := range former {
		jobs[[2]string{a.Namespace, a.JobID}] = struct{}{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.settled, func(id string, _ struct{}) bool { _, needed := former[id]; return !needed })
	maps.DeleteFunc(m.jobs,
		func(k jobKey, _ migration) bool { _, needed := jobs[[2]string{k.namespace, k.id}]; return !needed })
}
