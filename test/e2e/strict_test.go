package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// A Nomad that enforces introductions takes our member, and no VM that isn't ours, not even one with the token that
// somebody has read from the member's Secret in time: it is for this name in this node pool. What it isn't bound to is the
// node's ID, as docs/security.md says, and so the member names the namesake.
func TestStrictNomadTakesMembersAlone(t *testing.T) {
	t.Parallel()
	introduces, err := w.NomadServer.Introduces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !introduces {
		t.Log("this Nomad gives no introduction tokens, and so can't enforce any")
		return
	}
	server := nomadtest.Start(t, nomad.ServerOptions{ACL: true, Introduction: "strict"})
	tokenSecret(t, "strict", server.Token)
	stolen := introductionOf(t, "strict")
	create(t, newPool("strict", 1, credentials("strict"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Address, p.Spec.Nomad.Servers = server.Addr, []string{server.RPCAddr}
		p.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionAlways
	}))
	eventually(t, "strict", "the member to join", time.Minute, both(allReady(1), withoutTokens))
	member, token := members(t, "strict")[0], stolen()

	const denied = "Permission denied"
	for name, refused := range map[string]struct {
		o    simclient.Options
		want string
	}{
		"no-token":             {simclient.Options{Name: "other", NodePool: "strict"}, denied},
		"no-token-our-name":    {simclient.Options{Name: member.Name, NodePool: "strict"}, denied},
		"no-token-other-pool":  {simclient.Options{Name: "other", NodePool: "default"}, denied},
		"a-made-up-token":      {simclient.Options{Name: member.Name, NodePool: "strict", IntroToken: token + "x"}, denied},
		"our-token-other-name": {simclient.Options{Name: "other", NodePool: "strict", IntroToken: token}, denied},
		"our-token-other-pool": {simclient.Options{Name: member.Name, NodePool: "default", IntroToken: token}, denied},
		"our-token-our-id": {simclient.Options{Name: member.Name, NodePool: "strict", IntroToken: token,
			ID: member.Spec.NodeID}, "node secret ID does not match"},
	} {
		t.Run(name, func(t *testing.T) { staysOut(t, server, refused.o, refused.want) })
	}
	t.Run("our-token-at-another-nomad", func(t *testing.T) {
		staysOut(t, w.NomadServer, simclient.Options{Name: member.Name, NodePool: "strict", IntroToken: token}, denied)
	})
	nodes, _, err := server.Client.Nodes().List(nil)
	if err != nil || len(nodes) != 1 || nodes[0].ID != member.Spec.NodeID {
		t.Fatalf("beside the member there are %v: %v", nodes, err)
	}

	namesake := nomadtest.StartClient(t, server, simclient.Options{Name: member.Name, NodePool: "strict", IntroToken: token,
		ID: uuid.NewString(), Meta: map[string]string{v1alpha1.MetaPoolUID: member.Spec.PoolUID}})
	eventually(t, "strict", "the namesake to be told", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			c := memberCondition(nodes[0], v1alpha1.NodeJoined)
			if c.Reason != v1alpha1.ReasonNameShared || !strings.Contains(c.Message, namesake.ID()) {
				return fmt.Errorf("%s: %s", c.Reason, c.Message)
			}
			return nil
		})
	if err := namesake.Stop(); err != nil {
		t.Error(err)
	}
}

// staysOut checks that a server refuses a client twice, with these words, and lists no such node.
func staysOut(t *testing.T, server *nomad.Server, o simclient.Options, want string) {
	t.Helper()
	if o.ID == "" {
		o.ID = uuid.NewString()
	}
	listed := func() int {
		t.Helper()
		nodes, _, err := server.Client.Nodes().List(&api.QueryOptions{Filter: fmt.Sprintf("ID == %q", o.ID)})
		if err != nil {
			t.Fatal(err)
		}
		return len(nodes)
	}
	before := listed()
	refusals := make(chan error, 2)
	o.Report = func(err error) {
		select {
		case refusals <- err:
		default:
		}
	}
	nomadtest.StartClient(t, server, o)
	for range 2 {
		select {
		case err := <-refusals:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("it was neither let in nor refused")
		}
	}
	if after := listed(); after != before {
		t.Errorf("%d nodes of its ID became %d", before, after)
	}
}

// introductionOf waits for the introduction token of a pool's member, as somebody does who may read Secrets. It is called
// before the pool is made, because the token stays for a second only.
func introductionOf(t *testing.T, pool string) (token func() string) {
	t.Helper()
	c, err := client.NewWithWatch(w.RESTConfig, client.Options{Scheme: kube.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	secrets, err := c.Watch(ctx, &corev1.SecretList{}, client.InNamespace(fixtures.Namespace),
		client.MatchingLabels{v1alpha1.PoolLabel: pool})
	if err != nil {
		t.Fatal(err)
	}
	var found atomic.Value
	jwt := regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	go func() {
		for change := range secrets.ResultChan() {
			if s, ok := change.Object.(*corev1.Secret); ok {
				if text := jwt.Find(s.Data["userdata"]); text != nil {
					found.Store(string(text))
				}
			}
		}
	}()
	return func() string {
		t.Helper()
		token, _ := found.Load().(string)
		if token == "" {
			t.Fatal("no Secret of the pool has ever held an introduction token")
		}
		return token
	}
}
