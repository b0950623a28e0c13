package httpapi_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
	"github.com/hashicorp/yamux"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

const job = `{"Job": {"ID": "a/b", "Type": "service", "Datacenters": ["*"], "TaskGroups": [{"Name": "g", "Count": 2,
	"Scaling": {"Min": 1, "Max": 5, "Policy": {"x": "y"}},
	"Tasks": [{"Driver": "mock_driver", "Name": "t", "Config": {"run_for": "1h"}}]}]}}`

// What the autoscaler asks: policies by their source, the status of a job's groups, and to scale it.
func TestJobAndItsScaling(t *testing.T) {
	w := newLeader(t, false)
	var answer api.JobRegisterResponse
	_, err := w.client.Raw().Write("/v1/jobs", strings.NewReader(job), &answer, nil)
	if err != nil || answer.EvalID == "" || answer.JobModifyIndex == 0 {
		t.Fatalf("%+v, %v", answer, err)
	}
	if j, _, err := w.client.Jobs().Info("a/b", nil); err != nil || *j.ID != "a/b" {
		t.Errorf("%+v, %v", j, err)
	}
	policies, meta, err := w.client.Scaling().ListPolicies(nil)
	if err != nil || len(policies) != 1 || !policies[0].Enabled || policies[0].Target["Job"] != "a/b" ||
		meta.LastIndex < 2 {
		t.Fatalf("%+v, %v", policies, err)
	}
	policy, _, err := w.client.Scaling().GetPolicy(policies[0].ID, nil)
	if err != nil || *policy.Max != 5 || policy.Policy["x"] != "y" {
		t.Errorf("%+v, %v", policy, err)
	}
	three := 3
	_, _, err = w.client.Jobs().Scale("a/b", "g", &three, "more", false, nil, nil)
	w.must(err)
	status, _, err := w.client.Jobs().ScaleStatus("a/b", nil)
	if err != nil || status.TaskGroups["g"].Desired != 3 {
		t.Errorf("%+v, %v", status, err)
	}
	stubs, _, err := w.client.Jobs().List(nil)
	if err != nil || len(stubs) != 1 || stubs[0].JobSummary == nil {
		t.Errorf("%+v, %v", stubs, err)
	}
	_, _, err = w.client.Jobs().Deregister("a/b", true, nil)
	w.must(err)
	if policies, _, err := w.client.Scaling().ListPolicies(nil); err != nil || len(policies) != 0 {
		t.Errorf("%+v, %v", policies, err)
	}
}

func TestJobsThatAreRefused(t *testing.T) {
	w := newLeader(t, false)
	for body, want := range map[string]int{`{}`: http.StatusBadRequest,
		`{"Job": {"Type": "batch"}}`: http.StatusBadRequest, `{`: http.StatusBadRequest} {
		if _, err := w.client.Raw().Write("/v1/jobs", strings.NewReader(body), nil, nil); statusOf(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, _, err := w.client.Jobs().Info("none", nil); statusOf(err) != http.StatusNotFound {
		t.Errorf("got %v", err)
	}
}

// Files and the like are the client's to give, through the connection that it opened itself.
func TestWhatTheClientAnswers(t *testing.T) {
	w := newLeader(t, false)
	node, alloc := w.node("n", nil), uuid.NewString()
	_, err := w.server.Store().Write(func(tx *state.Txn) error {
		state.Allocs.Put(
			tx,
			&api.Allocation{ID: alloc, Namespace: "default", NodeID: node, ClientStatus: state.ClientRunning,
				DesiredStatus: state.DesiredRun},
		)
		return nil
	})
	w.must(err)
	path := "/v1/client/fs/stat/" + alloc + "?path=f"
	if _, err := w.client.Raw().Response(path, nil); statusOf(err) != http.StatusNotFound ||
		!strings.Contains(err.Error(), "No path to node") {
		t.Errorf("without a connection: %v", err)
	}
	server, theirs := net.Pipe()
	session, err := yamux.Server(server, wire.Settings())
	w.must(err)
	defer func() { _ = session.Close() }()
	clientSide, err := yamux.Client(theirs, wire.Settings())
	w.must(err)
	defer func() { _ = clientSide.Close() }()
	go wire.Serve(clientSide, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.URL.Path + " " + r.URL.Query().Get("path")))
	}))
	w.server.Connected(node, session)
	for range 3 {
		reader, err := w.client.Raw().Response(path, nil)
		w.must(err)
		text := make([]byte, 200)
		n, _ := reader.Read(text)
		w.must(reader.Close())
		if got := string(text[:n]); got != "/v1/client/fs/stat/"+alloc+" f" {
			t.Errorf("got %q", got)
		}
	}
	unknown := uuid.NewString()
	if _, err := w.client.Raw().Response("/v1/client/fs/stat/"+unknown, nil); statusOf(err) != http.StatusNotFound {
		t.Errorf("unknown allocation: %v", err)
	}
	reader, err := w.client.Raw().Response("/v1/client/fs/cat/"+unknown, nil)
	w.must(err)
	text, err := io.ReadAll(reader)
	w.must(errors.Join(err, reader.Close()))
	if want := fmt.Sprintf("Unknown allocation %q", unknown); string(text) != want {
		t.Errorf("got %q as if it were the file, want %q", text, want)
	}
}

func TestIntroductionNeedsNodeWrite(t *testing.T) {
	w := newLeader(t, true)
	boot, _, err := w.client.ACLTokens().Bootstrap(nil)
	w.must(err)
	request := &api.ACLIdentityClientIntroductionTokenRequest{NodeName: "n", TTL: time.Minute}
	if _, _, err := w.client.ACLIdentity().CreateClientIntroductionToken(request, nil); statusOf(
		err) != http.StatusForbidden {
		t.Errorf("anonymous: %v", err)
	}
	made, _, err := w.as(boot.SecretID).ACLIdentity().CreateClientIntroductionToken(request, nil)
	w.must(err)
	claims, err := w.server.Keyring().Verify(made.JWT, time.Now())
	if err != nil || claims.NodeName != "n" || claims.NodePool != "default" {
		t.Errorf("%+v, %v", claims, err)
	}
}
