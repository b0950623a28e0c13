package pool

import (
	"fmt"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// emitter emits the Events of pools. Each has one function, so that it is worded the same everywhere. An Event is
// emitted after the change that it reports has been written.
type emitter struct{ kube.EventSink }

// mostNames is how many members an Event names.
const mostNames = 10

// membersCreated is one Event for all that are made at once: their own Events tell of each. It is related to the first
// of them, so that it isn't counted as one more of an earlier Event.
func (e emitter) membersCreated(p *v1alpha1.NomadNodePool, made []*v1alpha1.NomadNode, replaced []string) {
	text := "member " + made[0].Name
	if len(made) > 1 {
		text = fmt.Sprintf("%d members: %s", len(made), namesOf(nodeNames(made)))
	}
	if len(replaced) > 0 {
		text += " in the place of " + namesOf(replaced)
	}
	e.Normal(p, made[0], "MemberCreated", "Create", "Created %s", text)
}

// namesOf names members, some of them if there are many.
func namesOf(names []string) string {
	text := strings.Join(names[:min(len(names), mostNames)], ", ")
	if more := len(names) - mostNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func nodeNames(nodes []*v1alpha1.NomadNode) []string {
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names
}

// scaleIn is one Event for all that are chosen at once, as membersCreated is.
func (e emitter) scaleIn(p *v1alpha1.NomadNodePool, victims []*v1alpha1.NomadNode) {
	const why = "the pool has more members than replicas"
	if len(victims) == 1 {
		e.Normal(p, victims[0], "MemberDraining", "ScaleIn", "Member %s leaves: %s", victims[0].Name, why)
		return
	}
	e.Normal(p, victims[0], "MemberDraining", "ScaleIn", "%d members leave: %s. They are %s", len(victims), why,
		namesOf(nodeNames(victims)))
}

func (e emitter) createFailed(p *v1alpha1.NomadNodePool, err error) {
	e.Warn(p, "CreateFailed", "Create", "A member could not be created: %v", err)
}

// blocked reports that a template is refused, or that a quota has no capacity for it.
func (e emitter) blocked(p *v1alpha1.NomadNodePool, message string) {
	e.Warn(p, "MembersBlocked", "Create", "No member can be made of the present template: %s", message)
}

func (e emitter) certificateExpires(p *v1alpha1.NomadNodePool, message string) {
	e.Warn(p, "CertificateExpires", "Rollout", "%s", message)
}

func (e emitter) nomadLost(p *v1alpha1.NomadNodePool, message string) {
	e.Warn(p, "NomadUnreachable", "AskNomad", "%s", message)
}

func (e emitter) nomadBack(p *v1alpha1.NomadNodePool) {
	e.Normal(p, nil, "NomadReachableAgain", "AskNomad", "Nomad can be asked again")
}

func (e emitter) requestDrain(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode, reason v1alpha1.DrainReason) {
	switch reason {
	case v1alpha1.DrainRollout:
		e.Normal(p, n, "MemberOutdated", "Rollout", "Member %s leaves: it was made from an older template", n.Name)
	case v1alpha1.DrainJoinTimeout:
		e.WarnOf(p, n, "MemberNotJoined", "Replace", "Member %s is replaced: its guest didn't join Nomad within %s", n.Name,
			n.Spec.Health.JoinTimeout.Duration)
	case v1alpha1.DrainUnhealthy:
		e.WarnOf(p, n, "MemberUnhealthy", "Replace",
			"Member %s is replaced: its Nomad node has not been ready for longer than %s", n.Name,
			p.Spec.Health.UnhealthyTimeout.Duration)
	default: // see scaleIn
	}
}

func (e emitter) joinsFailing(p *v1alpha1.NomadNodePool, message string) {
	e.Warn(p, "BreakerOpened", "Join", "%s", message)
}

func (e emitter) joinsTriedAgain(p *v1alpha1.NomadNodePool) {
	e.Normal(p, nil, "BreakerClosed", "Join", "Members are made and replaced again")
}

func (e emitter) drainCanceled(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.Normal(p, n, "MemberDrainCanceled", "ScaleOut", "The drain of member %s is canceled: the pool needs it again",
		n.Name)
}

func (e emitter) replaced(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.Normal(p, n, "MemberReplaced", "Replace",
		"Member %s is replaced: its VM was refused, and the template has changed since", n.Name)
}

func (e emitter) scaled(p *v1alpha1.NomadNodePool, r *v1alpha1.ScaleChange) {
	if r.From < 0 {
		e.Normal(p, nil, "Scaled", "Scale", "Replicas %d: %s", r.To, r.Reason)
		return
	}
	e.Normal(p, nil, "Scaled", "Scale", "Replicas %d -> %d: %s", r.From, r.To, r.Reason)
}

func (e emitter) nameTaken(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.Normal(p, n, "MemberReplaced", "Replace",
		"Member %s is replaced by one of another name: a VM of this name exists that isn't its own, and is left alone",
		n.Name)
}

// movedOn reports that a member leaves because its pool's connection leads to another Nomad cluster now.
func (e emitter) movedOn(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.Normal(p, n, "MemberOutdated", "Rollout",
		"Member %s leaves: it is in another Nomad cluster than the pool's, and drains there", n.Name)
}

func (e emitter) aged(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.Normal(p, n, "MemberOutdated", "Rollout",
		"Member %s leaves: it was made before rollout.restartedAt or is older than rollout.maxAge", n.Name)
}
