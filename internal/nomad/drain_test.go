package nomad

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// direct returns a cluster that isn't watched.
func direct(f *fakeServer) Cluster {
	return NewClusters(Options{RequestTimeout: 2 * time.Second}).Get(Connection{Address: f.URL})
}

func TestDrainIsSentOncePerDrainRequest(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := direct(f)
	request := DrainOptions{DrainID: "i1", Remaining: time.Hour, Pool: "ns/pool", Member: "pool-x"}
	drains := func() int { return f.count("PUT /v1/node/" + nodeA + "/drain") }
	drain := func(want int) {
		t.Helper()
		if _, err := c.Drain(t.Context(), nodeA, request); err != nil {
			t.Fatal(err)
		}
		if got := drains(); got != want {
			t.Fatalf("%d drains were sent, want %d", got, want)
		}
	}
	drain(1)
	if meta := f.nodes[nodeA].LastDrain.Meta; meta[metaDrainID] != "i1" || meta[MetaMember] != "pool-x" ||
		meta[MetaPool] != "ns/pool" {
		t.Errorf("meta %v", meta)
	}
	drain(1)
	f.locked(func() { f.nodes[nodeA].DrainStrategy, f.nodes[nodeA].LastDrain.Status = nil, api.DrainStatusComplete })
	drain(1) // over, and left ineligible

	f.locked(func() { f.nodes[nodeA].SchedulingEligibility = api.NodeSchedulingEligible })
	drain(2) // somebody made it eligible: it may have work again

	f.locked(func() { f.nodes[nodeA].LastDrain.Meta = map[string]string{"message": "operator"} })
	drain(3) // taken over
	request.DrainID = "i2"
	drain(4)
}

func TestDrainIsSentAgainWhenItsEndHasChanged(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := direct(f)
	send := func(r DrainOptions, wantSent, wantDeadline bool) {
		t.Helper()
		r.DrainID = "i"
		sent, err := c.Drain(t.Context(), nodeA, r)
		if err != nil || sent != wantSent {
			t.Errorf("sent %t, %v; want %t", sent, err, wantSent)
		}
		if s := f.nodes[nodeA].DrainStrategy; s != nil && s.ForceDeadline.IsZero() == wantDeadline {
			t.Errorf("got %+v, want a deadline: %t", s, wantDeadline)
		}
	}
	force, retain := DrainOptions{Remaining: time.Hour}, DrainOptions{Remaining: time.Hour, NoDeadline: true}
	send(retain, true, false)
	send(retain, false, false)
	send(force, true, true)
	send(force, false, true)
	send(retain, true, false)
	if n := nodeFromInfo(f.nodes[nodeA]); n.LastDrain.OnTimeout != TimeoutRetain {
		t.Errorf("got %+v", n.LastDrain)
	}
	f.locked(func() { f.nodes[nodeA].DrainStrategy, f.nodes[nodeA].LastDrain.Status = nil, api.DrainStatusComplete })
	send(force, false, false) // over: nothing is left to force
}

func TestDrainIsSentAgainWhenSystemJobsCountAnew(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := direct(f)
	var end time.Time
	send := func(ignore, wantSent bool) {
		t.Helper()
		sent, err := c.Drain(t.Context(), nodeA, DrainOptions{DrainID: "i", Remaining: time.Hour, IgnoreSystemJobs: ignore})
		if err != nil || sent != wantSent {
			t.Errorf("sent %t, %v; want %t", sent, err, wantSent)
		}
		s := f.nodes[nodeA].DrainStrategy
		if s == nil {
			return
		}
		if s.IgnoreSystemJobs != ignore {
			t.Errorf("got %+v, want system jobs ignored: %t", s, ignore)
		}
		if !end.IsZero() && s.ForceDeadline.After(end) {
			t.Errorf("the deadline moved from %s to %s", end, s.ForceDeadline)
		}
		end = s.ForceDeadline
	}
	send(false, true)
	send(true, true)
	send(true, false)
	send(false, true)
	complete := func() {
		f.locked(func() { f.nodes[nodeA].DrainStrategy, f.nodes[nodeA].LastDrain.Status = nil, api.DrainStatusComplete })
		end = time.Time{}
	}
	complete()
	send(true, false) // nothing is left to be ignored
	end = time.Now().Add(2 * time.Hour)
	f.locked(func() { f.nodes[nodeA].LastDrain.Meta[metaIgnoreSystemJobs] = "true" })
	send(false, true) // system jobs were left, and have to go after all
}

func TestDrainDeadline(t *testing.T) {
	f := newFakeServer(t)
	c := direct(f)
	for request, want := range map[DrainOptions]time.Duration{
		{Remaining: time.Minute}:                   time.Minute,
		{Remaining: 0}:                             forceNow,
		{Remaining: -time.Hour}:                    forceNow,
		{Remaining: time.Minute, NoDeadline: true}: 0,
		{NoDeadline: true}:                         0,
	} {
		f.locked(func() { f.nodes[nodeA] = fakeNode(nodeA) })
		request.DrainID, request.IgnoreSystemJobs = "i", true
		if _, err := c.Drain(t.Context(), nodeA, request); err != nil {
			t.Fatal(err)
		}
		if s := f.nodes[nodeA].DrainStrategy; s.Deadline != want || !s.IgnoreSystemJobs {
			t.Errorf("%+v became %+v", request, s)
		}
	}
}

func TestDrainIsResent(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c, request := direct(f), DrainOptions{DrainID: "i", Remaining: time.Hour}
	if _, err := c.Drain(t.Context(), nodeA, request); err != nil {
		t.Fatal(err)
	}
	deadline := f.nodes[nodeA].DrainStrategy.ForceDeadline
	if err := c.ResendDrain(t.Context(), nodeA, request); err != nil {
		t.Fatal(err)
	}
	if got := f.count("PUT /v1/node/" + nodeA + "/drain"); got != 2 {
		t.Errorf("%d drains were sent", got)
	}
	if got := f.nodes[nodeA].DrainStrategy.ForceDeadline; got.After(deadline) {
		t.Errorf("the deadline moved from %s to %s", deadline, got)
	}
}

// A drain that has completed or was canceled while the view still showed it isn't started again by ResendDrain.
func TestResendStartsNoDrain(t *testing.T) {
	for name, end := range map[string]func(*api.Node){
		"complete": func(n *api.Node) { n.DrainStrategy, n.LastDrain.Status = nil, api.DrainStatusComplete },
		"canceled": func(n *api.Node) {
			n.DrainStrategy, n.LastDrain.Status, n.SchedulingEligibility = nil, api.DrainStatusCanceled, api.NodeSchedulingEligible
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.nodes[nodeA] = fakeNode(nodeA)
			c, request := direct(f), DrainOptions{DrainID: "i", Remaining: time.Hour}
			if _, err := c.Drain(t.Context(), nodeA, request); err != nil {
				t.Fatal(err)
			}
			f.locked(func() { end(f.nodes[nodeA]) })
			if err := c.ResendDrain(t.Context(), nodeA, request); !errors.Is(err, ErrNotDraining) {
				t.Errorf("got %v", err)
			}
			if got := f.count("PUT /v1/node/" + nodeA + "/drain"); got != 1 {
				t.Errorf("%d drains were sent", got)
			}
		})
	}
}

func TestUncordonEndsTheDrainFirst(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := direct(f)
	if err := c.Cordon(t.Context(), nodeA); err != nil ||
		f.nodes[nodeA].SchedulingEligibility != api.NodeSchedulingIneligible {
		t.Fatalf("cordon: %v, %+v", err, f.nodes[nodeA])
	}
	if _, err := c.Drain(t.Context(), nodeA, DrainOptions{DrainID: "i", Remaining: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := c.Uncordon(t.Context(), nodeA); err != nil {
		t.Fatal(err)
	}
	if n := f.nodes[nodeA]; n.DrainStrategy != nil || n.SchedulingEligibility != api.NodeSchedulingEligible ||
		n.LastDrain.Meta[metaDrainID] != "i" {
		t.Errorf("got %+v", n)
	}
}

func TestMissingNode(t *testing.T) {
	f := newFakeServer(t)
	c := direct(f)
	for name, err := range map[string]error{
		"cordon":   c.Cordon(t.Context(), nodeA),
		"uncordon": c.Uncordon(t.Context(), nodeA),
		"drain":    errorOf(c.Drain(t.Context(), nodeA, DrainOptions{DrainID: "i"})),
		"resend":   c.ResendDrain(t.Context(), nodeA, DrainOptions{DrainID: "i"}),
	} {
		if !errors.Is(err, ErrNodeNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Purge(t.Context(), nodeA); err != nil {
		t.Errorf("purge: %v", err)
	}
	if got, err := c.Inspect(t.Context(), nodeA); err != nil || got.Found {
		t.Errorf("inspect: %+v, %v", got, err)
	}
}

func TestPartialNodeIDIsRefused(t *testing.T) {
	f := newFakeServer(t)
	c := direct(f)
	for _, id := range []string{"", "aaaaaaaa", nodeA + "/purge", nodeA + "|" + nodeB} {
		_, inspect := c.Inspect(t.Context(), id)
		_, usage := c.Usage(t.Context(), []string{id})
		for _, err := range []error{
			inspect, usage, c.Cordon(t.Context(), id), c.Uncordon(t.Context(), id), c.Purge(t.Context(), id),
			errorOf(c.Drain(t.Context(), id, DrainOptions{})), c.ResendDrain(t.Context(), id, DrainOptions{}),
		} {
			if err == nil {
				t.Errorf("%q is taken for a node", id)
			}
		}
	}
	f.locked(func() {
		if len(f.requests) > 0 {
			t.Errorf("requests were sent: %q", f.requests)
		}
	})
}

func TestTokenStaysWithTheAddress(t *testing.T) {
	other, f := newFakeServer(t), newFakeServer(t)
	f.Config.Handler = http.RedirectHandler(other.URL+"/v1/node/"+nodeA, http.StatusTemporaryRedirect)
	c := NewClusters(Options{}).Get(Connection{Address: f.URL, Token: secretWord})
	if _, err := c.Inspect(t.Context(), nodeA); err == nil {
		t.Error("the redirect was followed")
	}
	other.locked(func() {
		if len(other.requests) > 0 {
			t.Error("the token went to another server")
		}
	})
}

func TestIntroductionTokensOfOldServers(t *testing.T) {
	f := newFakeServer(t)
	c := direct(f)
	for _, tc := range []struct {
		refusal   refusal
		supported bool
		kind      error
	}{
		{refusal{code: http.StatusNotFound, body: "404 page not found"}, false, nil},
		{refusal{code: http.StatusInternalServerError,
			body: "rpc error: all servers should be running version 1.11.0 or later"}, false, nil},
		{refusal{code: http.StatusForbidden, body: "Permission denied"}, true, ErrForbidden},
	} {
		f.locked(func() { f.refuse["/v1/acl/identity"] = tc.refusal })
		_, supported, err := c.IntroductionToken(t.Context(), "n", "default", time.Minute)
		if supported != tc.supported || !errors.Is(err, tc.kind) {
			t.Errorf("%+v: %v, %v", tc.refusal, supported, err)
		}
	}
	if c.View().Introduces {
		t.Error("a server that gave no token is said to have given one")
	}
	f.locked(func() { clear(f.refuse) })
	if jwt, supported, err := c.IntroductionToken(t.Context(), "n", "default", time.Minute); jwt != "jwt" || !supported ||
		err != nil ||
		!c.View().Introduces {
		t.Errorf("got %q, %v, %v, and %+v", jwt, supported, err, c.View())
	}
}

// errorOf drops whether a drain was sent.
func errorOf(_ bool, err error) error { return err }

// Drain takes the time of one request in all, for reading the node and for sending. A canceled drain request stays
// until a drain for it can't be sent any more, and that time depends on it.
func TestDrainIsSentWithinOneRequestsTime(t *testing.T) {
	var sent atomic.Int32
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			sent.Add(1)
		}
		select {
		case <-time.After(1200 * time.Millisecond): // of 2 s
		case <-r.Context().Done():
			return
		}
		_, _ = io.WriteString(w, `{"ID":"`+nodeA+`","Status":"ready","SchedulingEligibility":"ineligible"}`)
	})
	start := time.Now()
	if _, err := c.Drain(t.Context(), nodeA, DrainOptions{DrainID: "i", Remaining: time.Hour}); err == nil {
		t.Error("a drain that took longer than a request may was no error")
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if err := c.ResendDrain(t.Context(), nodeA, DrainOptions{DrainID: "i", Remaining: time.Hour}); err == nil {
		t.Error("nor was a drain that was sent again")
	}
}
