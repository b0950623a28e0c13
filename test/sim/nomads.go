package sim

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// Schedules have two Nomads that know nothing of each other: pools begin in the first, and may be moved to the second.
// The streams of the first have the names that they had when there was one, so that its schedules stay what they are.
var (
	first  = nomadServer{name: "Nomad", servers: []string{"10.0.0.10"}}
	second = nomadServer{name: "other Nomad", streams: "other Nomad: ", address: "http://other.example.com:4646",
		servers: []string{"10.9.0.10"}, made: 0x8000}
)

const (
	// controllersAddress is the controllers' own, for pools that name none.
	controllersAddress = "http://nomad.example.com:4646"
	// nowhere is an address where nobody answers.
	nowhere = "http://nowhere.example.com:4646"
)

// furtherNomad is one of those that only a large fleet has, beside the two; i counts from 2.
func furtherNomad(i int) nomadServer {
	name := fmt.Sprintf("Nomad %d", i+1)
	return nomadServer{name: name, streams: name + ": ", address: fmt.Sprintf("http://nomad-%d.example.com:4646", i+1),
		servers: []string{fmt.Sprintf("10.%d.0.10", 8+i)}, made: i * second.made}
}

func (w *Environment) nomads() []*nomadServer {
	return append([]*nomadServer{w.nomad, w.other}, w.further...)
}

// nodes are those of all Nomads.
func (w *Environment) nodes() []*node {
	var out []*node
	for _, n := range w.nomads() {
		for _, nodeID := range n.order {
			out = append(out, n.nodes[nodeID])
		}
	}
	return out
}

// at is the Nomad that an address leads to; nil: none.
func (w *Environment) at(address string) *nomadServer {
	switch address {
	case "":
		return w.home
	case controllersAddress:
		return w.nomad
	}
	for _, n := range w.nomads() {
		if n.address == address {
			return n
		}
	}
	return nil
}

// joinedBy is the Nomad that clients of these servers join.
func (w *Environment) joinedBy(servers []string) *nomadServer {
	for _, n := range w.nomads() {
		if slices.Equal(servers, n.servers) {
			return n
		}
	}
	return w.nomad
}

// leadTo has the controllers' own address lead to a Nomad.
func (w *Environment) leadTo(to *nomadServer) {
	if w.home != to {
		w.note("operator", "", "leads the controllers' own address to %s", to.name)
		w.home, w.led, w.unsignaled = to, w.now, w.now
	}
}

// defaults is the controllers' default connection, as they read it again and again.
func (w *Environment) defaults() (nomadlink.Config, error) {
	address := controllersAddress
	if w.home != w.nomad {
		address = w.home.address
	}
	return nomadlink.Config{Connection: nomad.Connection{Address: address}, Addresses: []string{"*"}}, nil
}

// ledAfter reports whether the controllers may have used another address of their own since, which they read every few
// seconds.
func (w *Environment) ledAfter(since time.Time) bool {
	return w.led.After(since.Add(-10 * time.Second))
}

// leads reports whether a pool leads to the Nomad, or did at some time since.
func (c *checks) leads(pool string, to *nomadServer, since time.Time) (always, ever bool) {
	always = true
	for _, a := range c.askedSince(pool, since) {
		at := c.w.at(a.address) == to
		always = always && at && (a.address != "" || !c.w.ledAfter(since))
		ever = ever || at || a.address == "" && c.w.ledAfter(since)
	}
	return always, ever
}

// isAsked reports whether the Nomad is one of those that a NomadNode says are to be asked for the member.
func (n *nomadServer) isAsked(of *v1alpha1.NomadNode) bool {
	former := of.Spec.FormerNomad
	return n.w.at(of.Spec.Nomad.Address) == n || former != nil && n.w.at(former.Address) == n
}

// askedWhereItJoins checks that a new member is asked for where its pool's status says that its servers lead to.
func (c *checks) askedWhereItJoins(n *v1alpha1.NomadNode) {
	p, m := c.poolOf(n), c.members[n.Name]
	if p == nil || m == nil || p.Status.Nomad == nil || !slices.Equal(p.Status.Nomad.Servers, n.Spec.Nomad.Servers) {
		return
	}
	if c.w.at(p.Status.Nomad.Address) == m.nomad && !m.nomad.isAsked(n) {
		c.w.violate("I1", n.Name, "made to be asked for elsewhere than in %s, which its guest will join", m.nomad.name)
	}
}

// unseen reports whether the controllers can't know of a member's node: it was never seen, and its NomadNode names, or
// named a moment ago, nothing but Nomads that its guest doesn't join.
func (c *checks) unseen(t *task, m *memberTruth, n *v1alpha1.NomadNode) bool {
	byDefault := n.Spec.Nomad.Address == "" || n.Spec.FormerNomad != nil && n.Spec.FormerNomad.Address == ""
	led := byDefault && (c.w.home != m.nomad || c.w.ledAfter(t.readAt()))
	return n.Status.Nomad.Cluster == "" && (led || m.misled.After(t.readAt()))
}

// nodeOf is a member's node, in whichever Nomad has it; nil: none has.
func (c *checks) nodeOf(m *memberTruth) *node {
	for _, n := range c.w.nomads() {
		if x := n.nodes[m.nodeID]; x != nil {
			return x
		}
	}
	return nil
}

// inPools reports whether a Nomad is the one that the pool leads to.
func (n *nomadServer) inPools() bool {
	p := n.w.pool()
	return p != nil && n.w.at(p.Spec.Nomad.Address) == n
}

// joins is the Nomad that a member's guest joins: the one whose servers are in the user data of its first boot.
func (k *kubevirt) joins(vm *kubevirtv1.VirtualMachine) *nomadServer {
	if n := k.joined[vm.UID]; n != nil {
		return n
	}
	n := k.w.nomad
	if secret, ok := k.w.store.get(id{kindSecret, vm.Namespace, secretOf(vm)}).(*corev1.Secret); ok {
		n = k.w.named(secret)
	}
	k.joined[vm.UID] = n
	return n
}

// named is the Nomad whose servers a member's Secret names.
func (w *Environment) named(secret *corev1.Secret) *nomadServer {
	for _, n := range w.nomads() {
		if bytes.Contains(secret.Data[cloudinit.UserDataKey], []byte(`"`+n.servers[0]+`"`)) {
			return n
		}
	}
	return w.nomad
}

// leadsTo checks that a member's guest joins the Nomad in which its NomadNode says that it is.
func (c *checks) leadsTo(secret *corev1.Secret) {
	m := c.members[secret.Labels[v1alpha1.NodeLabel]]
	if n := c.w.named(secret); m != nil && n != m.nomad {
		c.w.violate("I6", m.name, "its guest is made to join %s, and its NomadNode says %s", n.name, m.nomad.name)
	}
}
