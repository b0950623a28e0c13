package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/nomad/api"
)

func sorted(names []string) []string { slices.Sort(names); return names }

// table prints rows in columns; the first is the heading.
func (s *shell) table(rows ...[]string) {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
}

func (s *shell) json(value any) int {
	text, err := json.MarshalIndent(value, "", "    ")
	if err != nil {
		return s.fail("%s", err)
	}
	s.say("%s", text)
	return 0
}

func short(id string) string { return id[:min(8, len(id))] }

func serverMembers(s *shell, args []string) int {
	fs, c := s.flags("server members")
	_, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	members, err := client.Agent().Members()
	if err != nil {
		return s.fail("Error querying servers: %s", err)
	}
	leader, err := client.Status().Leader()
	if err != nil {
		return s.fail("Error determining leaders: %s", err)
	}
	rows := [][]string{{"Name", "Address", "Port", "Status", "Leader", "Build", "Datacenter", "Region"}}
	for _, m := range members.Members {
		leads := fmt.Sprintf("%s:%s", m.Addr, m.Tags["port"]) == leader
		rows = append(
			rows,
			[]string{m.Name, m.Addr, fmt.Sprint(m.Port), m.Status, fmt.Sprint(leads), m.Tags["build"], m.Tags["dc"],
				m.Tags["region"]},
		)
	}
	s.table(rows...)
	return 0
}

func nodeStatus(s *shell, args []string) int {
	fs, c := s.flags("node status")
	asJSON := fs.Bool("json", false, "as JSON")
	verbose := fs.Bool("verbose", false, "whole IDs")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) > 0 {
		return s.oneNode(client, rest[0], *asJSON)
	}
	nodes, _, err := client.Nodes().List(nil)
	if err != nil {
		return s.fail("Error querying node status: %s", err)
	}
	if *asJSON {
		return s.json(nodes)
	}
	rows := [][]string{{"ID", "Node Pool", "DC", "Name", "Class", "Drain", "Eligibility", "Status"}}
	for _, n := range nodes {
		id := short(n.ID)
		if *verbose {
			id = n.ID
		}
		class := n.NodeClass
		if class == "" {
			class = "<none>"
		}
		rows = append(rows,
			[]string{id, n.NodePool, n.Datacenter, n.Name, class, fmt.Sprint(n.Drain), n.SchedulingEligibility, n.Status})
	}
	if len(nodes) > 0 {
		s.table(rows...)
	}
	return 0
}

// findNode finds the one node whose ID begins so.
func findNode(client *api.Client, prefix string) (string, error) {
	nodes, _, err := client.Nodes().PrefixList(prefix)
	switch {
	case err != nil:
		return "", err
	case len(nodes) == 0:
		return "", fmt.Errorf("No node(s) with prefix or id %q found", prefix) //nolint:staticcheck // Nomad's words
	case len(nodes) > 1:
		return "", fmt.Errorf("Prefix matched multiple nodes: %d", len(nodes)) //nolint:staticcheck // Nomad's words
	}
	return nodes[0].ID, nil
}

func (s *shell) oneNode(client *api.Client, prefix string, asJSON bool) int {
	id, err := findNode(client, prefix)
	if err != nil {
		return s.fail("%s", err)
	}
	n, _, err := client.Nodes().Info(id, nil)
	if err != nil {
		return s.fail("Error querying node info: %s", err)
	}
	if asJSON {
		return s.json(n)
	}
	s.table([]string{"ID", "= " + n.ID}, []string{"Name", "= " + n.Name}, []string{"Node Pool", "= " + n.NodePool},
		[]string{"Class", "= " + n.NodeClass}, []string{"DC", "= " + n.Datacenter},
		[]string{"Drain", "= " + fmt.Sprint(n.DrainStrategy != nil)}, []string{"Eligibility", "= " + n.SchedulingEligibility},
		[]string{"Status", "= " + n.Status})
	allocs, _, err := client.Nodes().Allocations(id, nil)
	if err != nil {
		return s.fail("Error querying node allocations: %s", err)
	}
	s.say("\nAllocations")
	rows := [][]string{{"ID", "Node ID", "Task Group", "Version", "Desired", "Status"}}
	for _, a := range allocs {
		rows = append(rows, []string{short(a.ID), short(a.NodeID), a.TaskGroup, "0", a.DesiredStatus, a.ClientStatus})
	}
	s.table(rows...)
	return 0
}

func nodeDrain(s *shell, args []string) int {
	fs, c := s.flags("node drain")
	enable := fs.Bool("enable", false, "start to drain")
	disable := fs.Bool("disable", false, "end the drain")
	deadline := fs.Duration("deadline", time.Hour, "until all is stopped")
	force := fs.Bool("force", false, "stop all at once")
	noDeadline := fs.Bool("no-deadline", false, "wait for ever")
	ignoreSystem := fs.Bool("ignore-system", false, "leave system jobs")
	keepIneligible := fs.Bool("keep-ineligible", false, "stay ineligible at the end of the drain")
	message := fs.String("m", "", "why")
	fs.Bool("yes", false, "don't ask")
	fs.Bool("detach", false, "don't wait, as this stand-in never does")
	fs.Bool("self", false, "the node of this agent")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if *enable == *disable {
		return s.fail("Either the '-enable' or '-disable' flag must be set, unless using '-monitor'")
	}
	if len(rest) != 1 {
		return s.fail("Node ID must be specified if -self isn't being used")
	}
	id, err := findNode(client, rest[0])
	if err != nil {
		return s.fail("%s", err)
	}
	o := &api.DrainOptions{MarkEligible: *disable && !*keepIneligible}
	if *message != "" {
		o.Meta = map[string]string{"message": *message}
	}
	if *enable {
		o.DrainSpec = &api.DrainSpec{Deadline: *deadline, IgnoreSystemJobs: *ignoreSystem}
		switch {
		case *force:
			o.DrainSpec.Deadline = -1 * time.Second
		case *noDeadline:
			o.DrainSpec.Deadline = 0
		}
	}
	if _, err := client.Nodes().UpdateDrainOpts(id, o, nil); err != nil {
		return s.fail("Error updating drain specification: %s", err)
	}
	if *enable {
		s.say("Node %q drain strategy set", id)
	} else {
		s.say("Node %q drain strategy unset", id)
	}
	return 0
}

func nodeEligibility(s *shell, args []string) int {
	fs, c := s.flags("node eligibility")
	enable := fs.Bool("enable", false, "make it eligible")
	disable := fs.Bool("disable", false, "make it ineligible")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if *enable == *disable {
		return s.fail("Either the '-enable' or '-disable' flag must be set")
	}
	if len(rest) != 1 {
		return s.fail("Node ID must be specified if -self isn't being used")
	}
	id, err := findNode(client, rest[0])
	if err != nil {
		return s.fail("%s", err)
	}
	if _, err := client.Nodes().ToggleEligibility(id, *enable, nil); err != nil {
		return s.fail("Error updating scheduling eligibility: %s", err)
	}
	state := "ineligible"
	if *enable {
		state = "eligible"
	}
	s.say("Node %q scheduling eligibility set: %s for scheduling", id, state)
	return 0
}
