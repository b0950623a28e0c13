package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// jobRun takes jobs as JSON, as `nomad job run -json` does. The language of job files isn't read here.
func jobRun(s *shell, args []string) int {
	fs, c := s.flags("job run")
	isJSON := fs.Bool("json", false, "the file is JSON")
	fs.Bool("detach", false, "don't wait, as this stand-in never does")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) != 1 {
		return s.fail("This command takes one argument: <path>")
	}
	text, err := readFile(rest[0])
	if err != nil {
		return s.fail("Error getting job struct: %s", err)
	}
	var in struct{ Job *api.Job }
	if err := json.Unmarshal(text, &in); err != nil {
		if !*isJSON {
			return s.fail(
				"Error getting job struct: this stand-in for Nomad reads jobs as JSON alone; use -json, or a real Nomad in $NOMAD_BIN")
		}
		return s.fail("Error getting job struct: %s", err)
	}
	if in.Job == nil {
		in.Job = &api.Job{}
		if err := json.Unmarshal(text, in.Job); err != nil {
			return s.fail("Error getting job struct: %s", err)
		}
	}
	reply, _, err := client.Jobs().Register(in.Job, nil)
	if err != nil {
		return s.fail("Error submitting job: %s", err)
	}
	s.say("Job registration successful\nEvaluation ID: %s", reply.EvalID)
	return 0
}

func readFile(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

func jobStop(s *shell, args []string) int {
	fs, c := s.flags("job stop")
	purge := fs.Bool("purge", false, "forget it")
	fs.Bool("yes", false, "don't ask")
	fs.Bool("detach", false, "don't wait, as this stand-in never does")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) == 0 {
		return s.fail("This command takes at least one argument: <job>")
	}
	for _, id := range rest {
		if _, _, err := client.Jobs().Info(id, nil); err != nil {
			return s.fail("No job(s) with prefix or ID %q found", id)
		}
		eval, _, err := client.Jobs().Deregister(id, *purge, nil)
		if err != nil {
			return s.fail("Error deregistering job with id %s err: %s", id, err)
		}
		s.say("Job %q deregistered, evaluation %s", id, eval)
	}
	return 0
}

func jobStatus(s *shell, args []string) int {
	fs, c := s.flags("job status")
	asJSON := fs.Bool("json", false, "as JSON")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) == 0 {
		jobs, _, err := client.Jobs().List(nil)
		if err != nil {
			return s.fail("Error querying jobs: %s", err)
		}
		if *asJSON {
			return s.json(jobs)
		}
		if len(jobs) == 0 {
			s.say("No running jobs")
			return 0
		}
		rows := [][]string{{"ID", "Type", "Priority", "Status"}}
		for _, j := range jobs {
			rows = append(rows, []string{j.ID, j.Type, fmt.Sprint(j.Priority), j.Status})
		}
		s.table(rows...)
		return 0
	}
	job, _, err := client.Jobs().Info(rest[0], nil)
	if err != nil {
		return s.fail("No job(s) with prefix or ID %q found", rest[0])
	}
	allocs, _, err := client.Jobs().Allocations(rest[0], true, nil)
	if err != nil {
		return s.fail("Error querying job allocations: %s", err)
	}
	if *asJSON {
		return s.json(map[string]any{"Job": job, "Allocations": allocs})
	}
	s.table([]string{"ID", "= " + *job.ID}, []string{"Type", "= " + *job.Type}, []string{"Status", "= " + *job.Status})
	s.say("\nAllocations")
	rows := [][]string{{"ID", "Node ID", "Task Group", "Version", "Desired", "Status"}}
	for _, a := range allocs {
		rows = append(rows,
			[]string{short(a.ID), short(a.NodeID), a.TaskGroup, fmt.Sprint(a.JobVersion), a.DesiredStatus, a.ClientStatus})
	}
	s.table(rows...)
	return 0
}

func findAlloc(client *api.Client, prefix string) (*api.Allocation, error) {
	stubs, _, err := client.Allocations().List(&api.QueryOptions{Prefix: prefix, Namespace: api.AllNamespacesNamespace})
	if err != nil {
		return nil, err
	}
	if len(stubs) != 1 {
		return nil, fmt.Errorf("No allocation(s) with prefix or id %q found", prefix) //nolint:staticcheck // Nomad's words
	}
	a, _, err := client.Allocations().Info(stubs[0].ID, nil)
	return a, err
}

func allocStatus(s *shell, args []string) int {
	fs, c := s.flags("alloc status")
	asJSON := fs.Bool("json", false, "as JSON")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) != 1 {
		return s.fail("This command takes one of the following argument conditions: <alloc-id>")
	}
	a, err := findAlloc(client, rest[0])
	if err != nil {
		return s.fail("%s", err)
	}
	if *asJSON {
		return s.json(a)
	}
	s.table([]string{"ID", "= " + a.ID}, []string{"Name", "= " + a.Name}, []string{"Node ID", "= " + short(a.NodeID)},
		[]string{"Node Name", "= " + a.NodeName}, []string{"Job ID", "= " + a.JobID},
		[]string{"Client Status", "= " + a.ClientStatus}, []string{"Desired Status", "= " + a.DesiredStatus})
	for name, t := range a.TaskStates {
		s.say("\nTask %q is %q", name, t.State)
		for _, e := range t.Events {
			s.say("  %s  %s", e.Type, e.DisplayMessage)
		}
	}
	return 0
}

func allocLogs(s *shell, args []string) int {
	fs, c := s.flags("alloc logs")
	stderr := fs.Bool("stderr", false, "what went there")
	task := fs.String("task", "", "of which task")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) == 0 {
		return s.fail("This command takes at least one argument: <alloc-id>")
	}
	a, err := findAlloc(client, rest[0])
	if err != nil {
		return s.fail("%s", err)
	}
	name, stream := *task, "stdout"
	if *stderr {
		stream = "stderr"
	}
	if len(rest) > 1 {
		name = rest[1]
	}
	for only := range a.TaskStates {
		if name == "" {
			name = only
		}
	}
	body, err := client.Raw().Response("/v1/client/fs/cat/"+a.ID+"?path=alloc/logs/"+name+"."+stream+".0", nil)
	if err != nil {
		return s.fail("Error reading logs: %s", err)
	}
	defer body.Close()
	if _, err := io.Copy(s.out, body); err != nil {
		return s.fail("Error reading logs: %s", err)
	}
	return 0
}

func operatorAPI(s *shell, args []string) int {
	fs, c := s.flags("operator api")
	method := fs.String("X", "", "method")
	rest, client, ok := s.parse(fs, c, args)
	if !ok {
		return 1
	}
	if len(rest) == 0 {
		return s.fail("A path or URL is required")
	}
	var body io.ReadCloser
	var err error
	if *method == "" || strings.EqualFold(*method, http.MethodGet) {
		body, err = client.Raw().Response(rest[0], nil)
	} else {
		var out any
		if _, err = client.Raw().Write(rest[0], os.Stdin, &out, nil); err == nil {
			return s.json(out)
		}
	}
	if err != nil {
		return s.fail("Error performing request: %s", err)
	}
	defer body.Close()
	if _, err := io.Copy(s.out, body); err != nil {
		return s.fail("Error reading response: %s", err)
	}
	return 0
}
