package sim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"
	"k8s.io/apimachinery/pkg/util/runtime"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// What Nomad's servers say, as the API's client reports it: internal/nomad finds out what it means, as it does for real
// ones.
var (
	// A missing node is a 500 in a write (Nomad: command/agent/http.go, errCodeFromHandler).
	errMissingRead  = answerOf(http.StatusNotFound, "node not found")
	errMissingWrite = answerOf(http.StatusInternalServerError, "node not found")
	errNoLeader     = answerOf(http.StatusInternalServerError, "No cluster leader")
	errDraining     = answerOf(http.StatusInternalServerError,
		"can not set node's scheduling eligibility to eligible while it is draining")
)

// answerOf is the client's error for an answer: nobody else can make one.
func answerOf(code int, body string) error {
	answers := roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})
	client, err := api.NewClient(
		&api.Config{Address: "http://nomad.invalid", HttpClient: &http.Client{Transport: answers}},
	)
	runtime.Must(err)
	_, _, err = client.Nodes().Purge("node", nil)
	return err
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer is what the client makes of the end of a request: of Nomad's refusal, or of none at all.
func answer(doing string, writes bool, err error) error {
	if errors.Is(err, errNotFound) {
		err = errMissingRead
		if writes {
			err = errMissingWrite
		}
	}
	return nomad.Classify(doing, err)
}

// lost is that of a request which nobody answers.
func lost(doing string) error { return nomad.Classify(doing, context.DeadlineExceeded) }
