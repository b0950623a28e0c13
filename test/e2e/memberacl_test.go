package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// With ACLs in Nomad the agent of a member refuses whoever has no token: the files of its allocations, commands
// beside their tasks, and a change of the node's meta.
func TestMembersRefuseWhoeverHasNoToken(t *testing.T) {
	t.Parallel()
	create(t, newPool("closed", 1))
	eventually(t, "closed", "the pool to settle", time.Minute, allReady(1))
	service(t, "closed", "closed-service", 1)
	node, _, err := w.Nomad.Nodes().Info(members(t, "closed")[0].Spec.NodeID, nil)
	if err != nil {
		t.Fatal(err)
	}
	alloc := allocations(t, "closed-service")[0].ID
	command := url.Values{"task": {"sleep"}, "command": {`["true"]`}}
	requests := map[string]struct{ method, path, body string }{
		"files":   {http.MethodGet, "/v1/client/fs/ls/" + alloc + "?path=/", ""},
		"exec":    {http.MethodGet, "/v1/client/allocation/" + alloc + "/exec?" + command.Encode(), ""},
		"meta":    {http.MethodPost, "/v1/client/metadata", `{"Meta": {"harvester_pool_uid": null}}`},
		"logs":    {http.MethodGet, "/v1/client/fs/logs/" + alloc + "?task=sleep&type=stdout&plain=true", ""},
		"restart": {http.MethodPut, "/v1/client/allocation/" + alloc + "/restart", "{}"},
	}
	for name, r := range requests {
		code, output := ask(t, r.method, "http://"+node.HTTPAddr+r.path, r.body, "")
		if code != http.StatusForbidden || !strings.Contains(output, "Permission denied") {
			t.Errorf("%s without a token: %d %s", name, code, output)
		}
	}
	files := requests["files"]
	if code, output := ask(t, files.method, "http://"+node.HTTPAddr+files.path, "", w.NomadToken); code != http.StatusOK {
		t.Errorf("files with the management token: %d %s", code, output)
	}
	if after, _, err := w.Nomad.Nodes().Info(node.ID, nil); err != nil || after.Meta["harvester_pool_uid"] == "" {
		t.Errorf("the node's meta is %v now (%v)", after.Meta, err)
	}
}

// ask sends a request to an agent.
func ask(t *testing.T, method, address, body, token string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("X-Nomad-Token", token)
	}
	var code int
	var output string
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = process.WaitFor(ctx, 200*time.Millisecond, "an answer from "+address, func(context.Context) error {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		code, output = response.StatusCode, string(text)
		if closeErr := response.Body.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("closing: %w", closeErr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return code, output
}
