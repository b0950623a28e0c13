package nomad_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
)

// refuses wants the agent to end by itself over its configuration, and to say why.
func refuses(inClient, more string, words string) func(*check) {
	return func(c *check) {
		a := c.configured(inClient, more)
		c.start(a)
		select {
		case <-a.Process().Done():
		case <-time.After(c.timeout):
			c.fatalf("it still runs: %s", a.Process().Tail(5))
		}
		c.holds("it fails", a.Process().Err() != nil)
		c.holds("it says why", strings.Contains(a.Process().Tail(40), words), a.Process().Tail(10))
	}
}

var clientAgents = []behaviour{
	{"agent-takes-the-seeded-id", "§0.1", func(c *check) {
		a, id := c.configured("", ""), uuid.NewString()
		c.seed(a, "client-id", id)
		c.start(a)
		c.awaitStatus(id, "ready")
		c.equal("name", c.info(id).Name, c.id)
	}},
	{"agent-with-a-newline-in-its-id-never-registers", "§3 Seed file", func(c *check) {
		a, id := c.configured("", ""), uuid.NewString()
		c.seed(a, "client-id", id+"\n")
		c.start(a)
		c.logs(a, "UUID must be 36 characters")
		c.equal("nodes", len(c.list(`NodePool == "`+c.id+`"`)), 0)
	}},
	{"agent-comes-back-as-the-same-node", "§3 Reboot", func(c *check) {
		a := c.agent()
		id := a.id()
		c.eligible(id, false)
		c.must(a.Process().Kill())
		c.awaitStatus(id, "down")
		c.must(a.Restart(c.ctx))
		c.awaitStatus(id, "ready")
		c.equal("eligibility", c.info(id).SchedulingEligibility, "ineligible")
		c.equal("nodes", len(c.list(`NodePool == "`+c.id+`"`)), 1)
	}},
	{"agent-without-its-data-is-another-node", "§3", func(c *check) {
		a := c.agent("no_host_uuid = true")
		first := a.id()
		c.must(a.Stop())
		c.must(os.RemoveAll(filepath.Join(a.dir, "data")))
		c.must(a.Start(c.ctx))
		c.awaitAgent(a)
		c.holds("another ID", a.id() != first)
		c.awaitStatus(first, "down")
	}},
	{"agent-frozen-is-down-and-returns", "§7 SIGSTOP", func(c *check) {
		a := c.agent()
		c.must(a.Pause())
		c.awaitStatus(a.id(), "down")
		c.must(a.Resume())
		c.awaitStatus(a.id(), "ready")
	}},
	{"agent-registers-meta-class-and-resources", "§6", func(c *check) {
		a := c.agent(`node_class = "k"`, `meta { "hnp.vm-uid" = "u" }`, `reserved { memory = 256 }`)
		n := c.info(a.id())
		c.holds("meta and class", n.Meta["hnp.vm-uid"] == "u" && n.NodeClass == "k", n.Meta, n.NodeClass)
		c.holds("resources", n.NodeResources.Memory.MemoryMB == 4096 && n.NodeResources.Cpu.CpuShares == 4000,
			n.NodeResources)
		c.equal("reserved", n.ReservedResources.Memory.MemoryMB, uint64(256))
	}},
	{"agent-fingerprints-its-host", "§3 Names", func(c *check) {
		n := c.info(c.agent().id())
		host, err := os.Hostname()
		c.must(err)
		c.holds(
			"host, kernel, version",
			n.Attributes["unique.hostname"] == host && n.Attributes["kernel.name"] == "linux" &&
				n.Attributes["nomad.version"] != "" &&
				n.Attributes["driver.raw_exec"] == "1",
			n.Attributes,
		)
	}},
	{"agent-stopped-does-not-drain", "§6", func(c *check) {
		a := c.agent()
		c.must(a.Stop())
		c.awaitStatus(a.id(), "down")
		n := c.info(a.id())
		c.holds("eligible, never drained", n.SchedulingEligibility == "eligible" && n.LastDrain == nil,
			n.SchedulingEligibility, n.LastDrain)
	}},
	{"agent-dynamic-metadata", "§3 Belt and braces", func(c *check) {
		a := c.agent()
		_, err := c.api.Nodes().
			Meta().
			Apply(&api.NodeMetaApplyRequest{NodeID: a.id(), Meta: map[string]*string{"late": new("1")}}, nil)
		c.must(err)
		c.awaitNode(a.id(), "with it", func(n *api.Node) bool { return n.Meta["late"] == "1" })
	}},
	{"agent-refuses-a-syntax-error", "§6", refuses("", "client {", "")},
	{"agent-refuses-an-unknown-key", "§6", refuses(`nonsense = true`, "", "nonsense")},
	{"agent-refuses-a-bad-pool", "§5", refuses(``, "client { node_pool = \"not a pool\" }", "node")},
}

// output is a job of one that has written a file and goes on, on an agent.
func (c *check) output() (alloc *api.Allocation) {
	c.agent()
	job := c.run(c.jobOf("service", 1, "echo hello > $NOMAD_ALLOC_DIR/file; echo spoken; sleep 300"))
	stub := c.awaitRunning(job, 1)[0]
	alloc, _, err := c.api.Allocations().Info(stub.ID, nil)
	c.must(err)
	return alloc
}

func (c *check) content(alloc *api.Allocation, path string) {
	c.await(path, func() error {
		reader, err := c.api.AllocFS().Cat(alloc, path, nil)
		if err != nil {
			return err
		}
		defer reader.Close()
		text, err := io.ReadAll(reader)
		if err == nil && string(text) != "hello\n" {
			err = fmt.Errorf("it holds %q", text)
		}
		return err
	})
}

var clientFiles = []behaviour{
	{"client-file-through-the-server", "§7", func(c *check) { c.content(c.output(), "alloc/file") }},
	{"client-file-that-isnt-there-answers-200", "seen of 1.11.3", func(c *check) {
		got := c.http(http.MethodGet, "/v1/client/fs/cat/"+c.output().ID+"?path=alloc/none", nil)
		c.holds("the error comes as if it were the file",
			got.status == http.StatusOK && strings.Contains(got.body, "no such file"), got)
	}},
	{"client-logs-through-the-server", "§7", func(c *check) {
		alloc := c.output()
		c.await("output", func() error {
			frames, errs := c.api.AllocFS().Logs(alloc, false, "task", "stdout", "start", 0, nil, nil)
			var text strings.Builder
			for {
				select {
				case f, ok := <-frames:
					if !ok {
						if text.String() != "spoken\n" {
							return fmt.Errorf("it is %q", text.String())
						}
						return nil
					}
					text.Write(f.Data)
				case err := <-errs:
					return err
				case <-time.After(10 * time.Second):
					return fmt.Errorf("nothing comes after %q", text.String())
				}
			}
		})
	}},
	{"client-exec-through-the-server", "§7", func(c *check) {
		alloc := c.output()
		code, text := c.exec(c.api, alloc)
		c.equal("output", text, "inside\n")
		c.equal("exit", code, 4)
	}},
	{"client-stats-through-the-server", "§7", func(c *check) {
		a := c.agent()
		stats, err := c.api.Nodes().Stats(a.id(), nil)
		c.must(err)
		c.holds("memory", stats.Memory != nil && stats.Memory.Total > 0, stats)
	}},
	{"client-of-a-down-node-is-out-of-reach", "§7", func(c *check) {
		n := c.node()
		c.must(n.Stop())
		c.awaitStatus(n.ID(), "down")
		_, err := c.api.Nodes().Stats(n.ID(), nil)
		c.refused(err, http.StatusNotFound, "No path to node")
	}},
}

func (c *check) exec(client *api.Client, alloc *api.Allocation) (int, string) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	var out strings.Builder
	code, err := client.Allocations().
		Exec(ctx, alloc, "task", false, []string{"/bin/sh", "-c", "echo inside; exit 4"}, strings.NewReader(""), &out,
			io.Discard, nil, nil)
	c.must(err)
	return code, out.String()
}

// commands are the program as people use it.
var commands = []behaviour{
	{"command-version", "§7", func(c *check) {
		out, code := c.command("version")
		c.holds("it says so", code == 0 && strings.HasPrefix(out, "Nomad v"), out, code)
	}},
	{"command-node-status-json", "§7", func(c *check) {
		id := c.node().ID()
		out, code := c.command("node", "status", "-json", id)
		c.holds("the node", code == 0 && strings.Contains(out, id), code)
	}},
	{"command-node-status-of-none", "§7", func(c *check) {
		out, code := c.command("node", "status", uuid.NewString())
		c.holds("it fails", code == 1 && strings.Contains(out, "No node(s) with prefix"), out, code)
	}},
	{"command-node-drain", "§2", func(c *check) {
		id := c.node().ID()
		_, code := c.command("node", "drain", "-enable", "-yes", "-detach", "-m", "by hand", id)
		c.equal("exit", code, 0)
		c.equal("meta", c.awaitDrained(id).LastDrain.Meta["message"], "by hand")
	}},
	{"command-node-drain-deadline-is-an-hour", "§2", func(c *check) {
		id := c.busy()
		_, code := c.command("node", "drain", "-enable", "-yes", "-detach", id)
		c.equal("exit", code, 0)
		left := time.Until(c.forced(id))
		c.holds("an hour", left > 59*time.Minute && left <= time.Hour, left)
	}},
	{"command-node-eligibility", "§2", func(c *check) {
		id := c.node().ID()
		_, code := c.command("node", "eligibility", "-disable", id)
		c.equal("exit", code, 0)
		c.equal("eligibility", c.info(id).SchedulingEligibility, "ineligible")
	}},
	{"command-server-members", "§7", func(c *check) {
		out, code := c.command("server", "members")
		c.holds("itself, alive", code == 0 && strings.Contains(out, "server-1.global") && strings.Contains(out, "alive"), out,
			code)
	}},
	{"command-job-stop", "§7", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		_, code := c.command("job", "stop", "-detach", job)
		c.equal("exit", code, 0)
		c.awaitJob(job, "dead")
	}},
	{"command-unknown-fails", "§7", func(c *check) {
		_, code := c.command("nonsense")
		c.holds("not 0", code != 0, code)
	}},
}
