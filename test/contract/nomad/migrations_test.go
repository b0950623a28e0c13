package nomad_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// migrates has the data of a job go with its allocations.
func migrates(j *api.Job) { j.TaskGroups[0].EphemeralDisk.Migrate = new(true) }

// archive is the HTTP of a node that others fetch from, which answers only when it's told to.
type archive struct {
	address string
	// asked gets the path of each request.
	asked chan string
	// release has the answers come.
	release func()
}

// archive answers whoever fetches with these files.
func (c *check) archive(files map[string]string) *archive {
	released := make(chan struct{})
	a := &archive{asked: make(chan string, 10), release: sync.OnceFunc(func() { close(released) })}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked <- r.URL.Path
		select {
		case <-released:
		case <-r.Context().Done():
			return
		}
		out := tar.NewWriter(w)
		for name, content := range files {
			if out.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644}) == nil {
				_, _ = io.WriteString(out, content) // who doesn't get it finds that the file is short
			}
		}
		_ = out.Close()
	}))
	c.later(func() error { a.release(); server.Close(); return nil })
	a.address = strings.TrimPrefix(server.URL, "http://")
	return a
}

// next waits for the allocation that takes another's place.
func (c *check) next(job, former string) *api.AllocationListStub {
	id := ""
	return c.awaitAllocations(job, "in the place of "+former, 1, func(a *api.AllocationListStub) bool {
		if a.ID == former {
			id = a.NextAllocation
		}
		return id != "" && a.ID == id
	})[0]
}

// events are the kinds of what is said of an allocation's only task: nothing, before its client has told of it.
func (c *check) events(job, id string) (status string, kinds []string) {
	for _, a := range c.allocations(job) {
		if a.ID == id {
			if task := a.TaskStates["task"]; task != nil {
				for _, e := range task.Events {
					kinds = append(kinds, e.Type)
				}
			}
			return a.ClientStatus, kinds
		}
	}
	return "", nil
}

// remembers is the script of a task that says what of its data it finds, one word for each of its two directories.
func remembers(out string) string {
	return `for d in "$NOMAD_ALLOC_DIR/data" "$NOMAD_TASK_DIR"; do
  if [ -f "$d/kept" ]; then cat "$d/kept"; else echo fresh; echo found > "$d/kept"; fi >> ` + out + `
done; sleep 300`
}

// movedBetweenAgents is what a job of one finds on its first agent and, after a drain of that, on a second one.
func (c *check) movedBetweenAgents(change ...func(*api.Job)) []string {
	out := filepath.Join(c.dir(), "out")
	first := c.agent()
	job := c.run(c.jobOf("service", 1, remembers(out), change...))
	before := c.awaitRunning(job, 1)[0]
	c.await("its data", func() error { return atLeast(2, lines(out)) })
	second := c.agent()
	c.drain(first.id(), time.Hour)
	c.equal("node", c.next(job, before.ID).NodeID, second.id())
	c.awaitRunning(job, 1)
	c.await("what it finds", func() error { return atLeast(4, lines(out)) })
	return lines(out)
}

// movesFrom begins the move of a job's only allocation to an agent, by a drain of the node that it runs on. Its data is
// fetched from an address, whoever answers there, and what the next allocation finds is in a file.
func (c *check) movesFrom(address string) (node, job, before, found string) {
	from := c.node(simclient.Options{HTTPAddr: address})
	found = filepath.Join(c.dir(), "out")
	job = c.run(c.jobOf("service", 1, remembers(found), migrates))
	before = c.awaitRunning(job, 1)[0].ID
	c.agent()
	c.drain(from.ID(), time.Hour)
	return from.ID(), job, before, found
}

// finds waits until a task has said what of its data it finds, and compares that.
func (c *check) finds(in string, want ...string) {
	c.await("what it finds", func() error { return atLeast(len(want), lines(in)) })
	c.equal("found", lines(in), want)
}

func atLeast(n int, words []string) error {
	if len(words) < n {
		return fmt.Errorf("only %v", words)
	}
	return nil
}

var migrations = []behaviour{
	{"migrate-moves-alloc-data-and-local", "cases C2", func(c *check) {
		c.equal("found", c.movedBetweenAgents(migrates), []string{"fresh", "fresh", "found", "found"})
	}},
	{"migrate-unasked-moves-nothing", "cases C2", func(c *check) {
		c.equal("found", c.movedBetweenAgents(), []string{"fresh", "fresh", "fresh", "fresh"})
	}},
	{"migrate-has-the-next-allocation-pend-while-it-fetches", "cases C2", func(c *check) {
		from := c.archive(map[string]string{"alloc/data/kept": "shared\n", "task/local/kept": "own\n"})
		node, job, before, out := c.movesFrom(from.address)
		next := c.next(job, before)
		select {
		case path := <-from.asked:
			c.equal("asked for", path, "/v1/client/allocation/"+before+"/snapshot")
		case <-time.After(c.timeout):
			c.fatalf("nobody fetches: %+v", next)
		}
		c.awaitDrained(node) // which the drain doesn't wait for
		// It was received, and nothing is set up: by that whoever drains a node sees that its data is still needed.
		c.stays("the allocation", 2*time.Second, func() error {
			if status, kinds := c.events(job, next.ID); status != "pending" || slices.Contains(kinds, api.TaskSetup) {
				return fmt.Errorf("it is %s, with %v", status, kinds)
			}
			return nil
		})
		if _, kinds := c.events(job, next.ID); !slices.Contains(kinds, api.TaskReceived) {
			c.fatalf("it wasn't received: %v", kinds)
		}
		former, _, err := c.api.Allocations().Info(before, nil)
		c.must(err)
		c.holds("the former names the next", former.NextAllocation == next.ID && former.ClientStatus == "complete",
			former.NextAllocation, former.ClientStatus)
		from.release()
		c.awaitRunning(job, 1)
		if _, kinds := c.events(job, next.ID); !slices.Contains(kinds, api.TaskSetup) {
			c.fatalf("it was never set up: %v", kinds)
		}
		c.finds(out, "shared", "own")
	}},
	{"migrate-from-a-node-that-is-gone-begins-empty", "cases C2", func(c *check) {
		port, err := process.FreePort() // where nobody answers
		c.must(err)
		_, job, before, out := c.movesFrom(fmt.Sprintf("127.0.0.1:%d", port))
		next := c.next(job, before)
		c.awaitRunning(job, 1)
		c.finds(out, "fresh", "fresh")
		c.equal("the one", c.awaitRunning(job, 1)[0].ID, next.ID)
	}},
	{"migrate-cut-off-begins-empty", "cases C2", func(c *check) {
		cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			out := tar.NewWriter(w)
			err := out.WriteHeader(&tar.Header{Name: "alloc/data/kept", Typeflag: tar.TypeReg, Size: 1 << 20, Mode: 0o644})
			_, err2 := io.WriteString(out, "half")
			_ = errors.Join(err, err2)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		c.later(func() error { cut.Close(); return nil })
		_, _, _, out := c.movesFrom(strings.TrimPrefix(cut.URL, "http://"))
		c.finds(out, "fresh", "fresh")
	}},
}

// aclMigrations: the token of the migration opens the directory, and nobody else's does.
var aclMigrations = []behaviour{
	{"migrate-between-agents-with-acls", "cases C2", func(c *check) {
		c.equal("found", c.movedBetweenAgents(migrates), []string{"fresh", "fresh", "found", "found"})
	}},
	{"migrate-snapshot-is-for-nobody-else", "cases C2", func(c *check) {
		a := c.agent()
		job := c.run(c.jobOf("service", 1, "sleep 300", migrates))
		id := c.awaitRunning(job, 1)[0].ID
		response, err := http.Get("http://" + c.info(a.id()).HTTPAddr + "/v1/client/allocation/" + id + "/snapshot")
		c.must(err)
		c.must(response.Body.Close())
		c.equal("status", response.StatusCode, http.StatusForbidden)
	}},
}
