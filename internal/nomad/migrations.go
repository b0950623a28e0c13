package nomad

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
)

// migrations caches what was learnt about data that allocations fetch from each other, so that it isn't asked again.
type migrations struct {
	mu sync.Mutex
	// finished are the IDs of next allocations that fetch no data, or have fetched it.
	finished map[string]struct{}
	jobs     map[jobKey]migration
	// bytes is how many the keys of jobs have.
	bytes int
}

// maxLearnt is how many bytes the jobs of one cluster may take that are remembered, some two thousand jobs. A server
// can name other groups and versions of a job each time.
const maxLearnt = 256 << 10

// jobKey is a group of a version of a job.
type jobKey struct {
	namespace, id, group string
	version              uint64
}

// size is how many bytes it takes with its migration.
func (k jobKey) size() int { return 100 + len(k.namespace) + len(k.id) + len(k.group) }

// migration is whether a group's data moves. It holds for the allocations that were created from since to until: a job
// may be purged, and another job of the same name may have the same version.
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
	return &migrations{finished: map[string]struct{}{}, jobs: map[jobKey]migration{}}
}

// unfinished returns the IDs of the next allocations that have to be asked for, grouped by the node that they concern.
func (m *migrations) unfinished(former replacedBy) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range former {
		if _, ok := m.finished[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return strings.Compare(former[a].NodeID+a, former[b].NodeID+b)
	})
	return ids
}

// finish remembers that an allocation fetches no data any more.
func (m *migrations) finish(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finished[id] = struct{}{}
}

// of returns whether the data of an allocation's job moves, if that is known.
func (m *migrations) of(b beginning) (moves, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	is, ok := m.jobs[b.job]
	return is.moves, ok && is.since <= b.created && b.created <= is.until
}

// learn remembers whether it moves, for all allocations from the job's creation up to this one. If it is too much to
// remember, the others are forgotten, and asked for again.
func (m *migrations) learn(b beginning, moves bool, since uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.jobs[b.job]; !known {
		m.bytes += b.job.size()
	}
	if m.bytes > maxLearnt {
		clear(m.jobs)
		m.bytes = b.job.size()
	}
	if m.bytes > maxLearnt {
		m.bytes = 0
		return // until that allocation has begun its data counts as moving
	}
	m.jobs[b.job] = migration{moves, min(since, b.created), b.created}
}

// keep drops what none of the former allocations needs any more.
func (m *migrations) keep(former replacedBy) {
	jobs := map[[2]string]struct{}{}
	for _, a := range former {
		jobs[[2]string{a.Namespace, a.JobID}] = struct{}{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.finished, func(id string, _ struct{}) bool { _, needed := former[id]; return !needed })
	maps.DeleteFunc(m.jobs, func(k jobKey, _ migration) bool {
		_, needed := jobs[[2]string{k.namespace, k.id}]
		if !needed {
			m.bytes -= k.size()
		}
		return !needed
	})
}
