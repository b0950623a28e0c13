package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

var streamRoutes = map[string]methods{
	"/v1/event/stream": {get: eventStream, open: true},
} // it looks at the token itself

// streamBeat is how often a stream that has nothing to say shows that it lives (facts/nomad.md §1).
const streamBeat = 30 * time.Second

// topics are what a subscriber wants: keys by topic, "*" for any.
type topics map[string][]string

func parseTopics(values []string) (topics, error) {
	t := topics{}
	for _, v := range values {
		topic, key, found := strings.Cut(v, ":")
		if !found || key == "" {
			key = "*"
		}
		if topic == "" {
			return nil, badRequest("Invalid key value pair for topic, topic: %s", v)
		}
		t[topic] = append(t[topic], key)
	}
	if len(t) == 0 {
		t[string(api.TopicAll)] = []string{"*"}
	}
	return t, nil
}

// wants reports if the event is one of those: by its key or by one of its filter keys.
func (t topics) wants(e server.Event) bool {
	for _, topic := range []string{e.Topic, string(api.TopicAll)} {
		for _, key := range t[topic] {
			if key == "*" || key == e.Key || slices.Contains(e.FilterKeys, key) {
				return true
			}
		}
	}
	return false
}

// mayStream: nodes need node:read, what has a namespace read-job there, all else management (facts/nomad.md §1).
func (c *call) mayStream(t topics) error {
	for topic := range t {
		switch api.Topic(topic) {
		case api.TopicNode:
			if !c.may.AllowNodeRead() {
				return acl.ErrPermissionDenied
			}
		case api.TopicAllocation, api.TopicJob, api.TopicEvaluation, api.TopicDeployment, api.TopicService:
			if !c.may.AllowNamespaceOp(c.q.namespace, acl.ReadJob) {
				return acl.ErrPermissionDenied
			}
		default:
			if !c.may.IsManagement() {
				return acl.ErrPermissionDenied
			}
		}
	}
	return nil
}

// eventStream is a hint and no more: it says nothing of nodes that are purged and nothing of gaps (facts/nomad.md
// §1). It ends when the token does.
func eventStream(c *call) (any, error) {
	t, err := parseTopics(c.q.values["topic"])
	if err != nil {
		return nil, err
	}
	if c.resolve() != nil || c.mayStream(t) != nil {
		return nil, c.keepSilent()
	}
	subscription := c.api.server.Events.Subscribe(c.q.index)
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "no-cache")
	flush := http.NewResponseController(c.w)
	send := func(text []byte) error {
		if _, err := c.w.Write(append(text, '\n')); err != nil {
			return err
		}
		return flush.Flush()
	}
	if err := send([]byte("{}")); err != nil {
		return nil, errAnswered
	}
	for {
		batch, err := c.next(subscription)
		switch {
		case c.r.Context().Err() != nil || errors.Is(err, io.EOF):
			return nil, errAnswered
		case !c.tokenLives():
			err = acl.ErrTokenNotFound
		case errors.Is(err, context.DeadlineExceeded):
			err = send([]byte("{}"))
		case err == nil:
			err = sendEvents(send, batch, t, c.q.namespace)
		}
		if err != nil { // the stream has begun: it can only break off, with the reason as its last line
			text, marshal := json.Marshal(map[string]string{"Error": err.Error()})
			if marshal == nil {
				_ = send(text)
			}
			return nil, errAnswered
		}
	}
}

// keepSilent is how Nomad refuses a stream: with a good status, and then without a word until the caller goes (seen
// of 1.11.3).
func (c *call) keepSilent() error {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "no-cache")
	c.w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(c.w).Flush(); err == nil {
		<-c.r.Context().Done()
	}
	return errAnswered
}

func (c *call) next(s *server.Subscription) (server.Events, error) {
	ctx, cancel := context.WithTimeout(c.r.Context(), streamBeat)
	defer cancel()
	return s.Next(ctx)
}

func (c *call) tokenLives() bool {
	if c.token == nil {
		return true
	}
	_, err := acl.TokenOf(c.api.server.Store().Read(), secretOf(c.r), c.api.now())
	return err == nil
}

func sendEvents(send func([]byte) error, batch server.Events, t topics, namespace string) error {
	out := struct {
		Index  uint64
		Events []server.Event
	}{Index: batch.Index}
	for _, e := range batch.Events {
		if t.wants(e) && (e.Namespace == "" || namespace == api.AllNamespacesNamespace || e.Namespace == namespace) {
			out.Events = append(out.Events, e)
		}
	}
	if len(out.Events) == 0 {
		return nil
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return send(text)
}
