package nomad_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// regions are of a server that servers of other regions join, each of one of its own.
var regions = []behaviour{
	{"region-answers-through-the-other", "§5", func(c *check) {
		other, region := c.federated()
		far, _ := c.simulate(simclient.Options{Region: region, Name: c.id, Servers: []string{other.RPCAddr}})
		through := &api.QueryOptions{Region: region}
		c.await("the node through the other region", func() error {
			nodes, _, err := c.api.Nodes().List(through)
			if err == nil &&
				!slices.ContainsFunc(nodes, func(n *api.NodeListStub) bool { return n.ID == far.ID() && n.Status == "ready" }) {
				err = fmt.Errorf("%d nodes without it", len(nodes))
			}
			return err
		})
		_, _, err := c.api.Nodes().Info(far.ID(), nil)
		c.holds("the own region doesn't know it", err != nil && strings.Contains(err.Error(), "404"), err)
		_, err = c.api.Nodes().ToggleEligibility(far.ID(), false, &api.WriteOptions{Region: region})
		c.must(err)
		n, _, err := other.Client.Nodes().Info(far.ID(), nil)
		c.must(err)
		c.equal("what is written goes there", n.SchedulingEligibility, "ineligible")
	}},
	{"region-list", "§5", func(c *check) {
		other, region := c.federated()
		for _, client := range []*api.Client{c.api, other.Client} {
			c.await("both regions", func() error {
				all, err := client.Regions().List()
				if err == nil && (!slices.Contains(all, region) || !slices.Contains(all, nomad.Region)) {
					err = fmt.Errorf("%v", all)
				}
				return err
			})
		}
		members, err := c.api.Agent().Members()
		c.must(err)
		c.holds("members of both",
			slices.ContainsFunc(members.Members, func(m *api.AgentMember) bool { return m.Tags["region"] == region }),
			members.Members)
	}},
	{"region-that-isnt-there", "§5", func(c *check) {
		_, _, err := c.api.Nodes().List(&api.QueryOptions{Region: "nowhere"})
		c.holds("it says so", err != nil && strings.Contains(err.Error(), "No path to region"), err)
	}},
}

// federated starts a server of another region, which joins this one's.
func (c *check) federated() (server *nomad.Server, region string) {
	region = "eu-" + c.id[len(c.id)-8:]
	s, err := nomad.StartServer(c.ctx,
		nomad.ServerOptions{Bin: c.bin, Dir: c.dir(), Region: region, Federate: c.Server, HeartbeatGrace: grace})
	c.must(err)
	c.later(s.Stop)
	c.await("the other region", func() error {
		all, err := c.api.Regions().List()
		if err == nil && !slices.Contains(all, region) {
			err = errors.New("it isn't there")
		}
		return err
	})
	return s, region
}
