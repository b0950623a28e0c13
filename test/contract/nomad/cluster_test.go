package nomad_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// simulate starts a simulated client and doesn't wait for it. refusal tells how its last try to be a client went.
func (c *check) simulate(o simclient.Options) (client *simclient.Client, refusal func() string) {
	var last atomic.Value
	last.Store("")
	if o.Name == "" {
		o.Name = c.id
	}
	if o.Servers == nil {
		o.Servers = []string{c.RPCAddr}
	}
	o.Report = func(err error) {
		if err != nil {
			last.Store(err.Error())
		}
	}
	if c.CACert != "" && o.TLS == nil {
		o.TLS = c.tls()
	}
	client, err := simclient.Start(o)
	c.must(err)
	c.later(client.Stop)
	return client, func() string { return last.Load().(string) }
}

func (c *check) tls() *tls.Config {
	pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	c.must(err)
	text, err := os.ReadFile(c.CACert)
	c.must(err)
	roots := x509.NewCertPool()
	c.holds("the authority is one", roots.AppendCertsFromPEM(text))
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots,
		ServerName: "server." + nomad.Region + ".nomad", MinVersion: tls.VersionTLS12}
}

// node is a simulated client that is ready, in the pool of the check unless told otherwise.
func (c *check) node(o ...simclient.Options) *simclient.Client {
	options := simclient.Options{NodePool: c.id}
	if len(o) > 0 {
		options = o[0]
		if options.NodePool == "" {
			options.NodePool = c.id
		}
	}
	client, _ := c.simulate(options)
	c.awaitStatus(client.ID(), "ready")
	return client
}

func (c *check) info(id string) *api.Node {
	n, _, err := c.api.Nodes().Info(id, nil)
	c.must(err)
	return n
}

// stub is the node as lists have it.
func (c *check) stub(id string) *api.NodeListStub {
	for _, n := range c.list(`NodePool == "` + c.id + `"`) {
		if n.ID == id {
			return n
		}
	}
	c.fatalf("node %s isn't in the list", id)
	return nil
}

func (c *check) list(filter string) []*api.NodeListStub {
	nodes, _, err := c.api.Nodes().List(&api.QueryOptions{Filter: filter})
	c.must(err)
	return nodes
}

func (c *check) awaitStatus(id, status string) {
	c.awaitNode(id, status, func(n *api.Node) bool { return n.Status == status })
}

func (c *check) awaitNode(id, what string, ok func(*api.Node) bool) *api.Node {
	var seen *api.Node
	c.await("node "+what, func() error {
		n, _, err := c.api.Nodes().Info(id, nil)
		if err != nil {
			return err
		}
		if seen = n; !ok(n) {
			return fmt.Errorf("it is %s, %s, drain %+v, last %+v", n.Status, n.SchedulingEligibility, n.DrainStrategy,
				n.LastDrain)
		}
		return nil
	})
	return seen
}

func (c *check) awaitDrained(id string) *api.Node {
	return c.awaitNode(id, "drained", func(n *api.Node) bool {
		return n.DrainStrategy == nil && n.LastDrain != nil && n.LastDrain.Status == "complete"
	})
}

// drain begins a drain with this deadline and no more.
func (c *check) drain(id string, deadline time.Duration) {
	c.drainWith(id, &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: deadline}})
}

func (c *check) drainWith(id string, o *api.DrainOptions) {
	_, err := c.api.Nodes().UpdateDrainOpts(id, o, nil)
	c.must(err)
}

func (c *check) eligible(id string, yes bool) {
	_, err := c.api.Nodes().ToggleEligibility(id, yes, nil)
	c.must(err)
}

// job is one of the type with one group of the size, in the pool of the check, for simulated clients; agents run it,
// too.
func (c *check) job(kind string, count int, change ...func(*api.Job)) *api.Job {
	return c.jobOf(kind, count, "sleep 300", change...)
}

// jobOf is a job whose task runs a shell script, and gets little time to stop.
func (c *check) jobOf(kind string, count int, script string, change ...func(*api.Job)) *api.Job {
	task := &api.Task{
		Name: "task", Driver: "raw_exec", Config: map[string]any{"command": "/bin/sh", "args": []string{"-c", script}},
		Resources: &api.Resources{CPU: new(20), MemoryMB: new(16)}, KillTimeout: new(time.Second),
		LogConfig: &api.LogConfig{MaxFiles: new(1), MaxFileSizeMB: new(5)}, // which has to fit into the disk
	}
	group := api.NewTaskGroup("group", count).AddTask(task)
	group.EphemeralDisk = &api.EphemeralDisk{SizeMB: new(10)}
	j := &api.Job{
		ID: new(
			c.id + "-" + uuid.NewString()[:4]), Type: new(kind), NodePool: new(c.id), Datacenters: []string{"*"},
		TaskGroups: []*api.TaskGroup{group},
	}
	j.Name = j.ID
	for _, f := range change {
		f(j)
	}
	return j
}

// pool makes the pool of the check, which else comes with its first node.
func (c *check) pool() {
	_, err := c.api.NodePools().Register(&api.NodePool{Name: c.id}, nil)
	c.must(err)
}

// run registers a job, and stops it at the end. It isn't purged: a server of Nomad 1.11.3 was seen to crash when that
// came while it made the job's deployment.
func (c *check) run(j *api.Job) string {
	_, _, err := c.api.Jobs().Register(j, nil)
	c.must(err)
	c.later(func() error {
		_, _, err := c.Client.Jobs().Deregister(*j.ID, false, nil)
		if err != nil && strings.Contains(err.Error(), "not found") {
			err = nil
		}
		return err
	})
	return *j.ID
}

// awaitDeployed waits until no deployment of the job is under way, where there are any.
func (c *check) awaitDeployed(job string) {
	c.await("the deployment", func() error {
		d, _, err := c.api.Jobs().LatestDeployment(job, nil)
		if err == nil && d != nil && d.Status != api.DeploymentStatusSuccessful {
			err = errors.New("it is " + d.Status)
		}
		return err
	})
}

func (c *check) allocations(job string) []*api.AllocationListStub {
	list, _, err := c.api.Jobs().Allocations(job, true, nil)
	c.must(err)
	return list
}

// awaitAllocations waits until so many allocations of the job satisfy, and returns them.
func (c *check) awaitAllocations(job, what string, count int,
	ok func(*api.AllocationListStub) bool) []*api.AllocationListStub {
	var fit []*api.AllocationListStub
	c.await(fmt.Sprintf("%d allocations %s", count, what), func() error {
		list, _, err := c.api.Jobs().Allocations(job, true, nil)
		if err != nil {
			return err
		}
		fit = nil
		var seen []string
		for _, a := range list {
			if ok(a) {
				fit = append(fit, a)
			}
			seen = append(seen, a.DesiredStatus+"/"+a.ClientStatus)
		}
		if len(fit) != count {
			return errors.New("there are " + strings.Join(seen, ", "))
		}
		return nil
	})
	return fit
}

func (c *check) awaitRunning(job string, count int) []*api.AllocationListStub {
	return c.awaitAllocations(job, "running", count, func(a *api.AllocationListStub) bool {
		return a.ClientStatus == "running" && a.DesiredStatus == "run"
	})
}

func (c *check) awaitClient(job, status string, count int) []*api.AllocationListStub {
	return c.awaitAllocations(job, status, count, func(a *api.AllocationListStub) bool { return a.ClientStatus == status })
}
