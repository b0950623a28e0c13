package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Upgrade is an upgrade of Harvester that is under way.
type Upgrade struct {
	// Name is the kind and the name of the object that it is, for people.
	Name string
	// End is the command that ends it, if it is stuck.
	End string
}

// Snapshot is everything that is known of a pool at one moment.
type Snapshot struct {
	// Now is that moment.
	Now time.Time
	// Replicas is how many active members there should be.
	Replicas int
	// Paused keeps the pool as it is.
	Paused bool
	// Deleting is true once the pool has a deletionTimestamp; its members are deleted by ownership.
	Deleting bool
	// KeptBy are the finalizers of a pool that is being deleted and whose members are deleted when it has gone.
	KeptBy []string
	// Revision is that of the present template.
	Revision string
	// ScaleIn are the rules for members that leave.
	ScaleIn v1alpha1.ScaleInSpec
	// Rollout are the rules for replacing members of an older template, or for their age.
	Rollout v1alpha1.RolloutSpec
	// Health are the rules for replacing members that don't join or no longer work.
	Health v1alpha1.HealthSpec
	// Joins is how the last members fared that tried to join. See Joins.Update.
	Joins Joins
	// LastScale is when replicas changed last; zero: never.
	LastScale time.Time
	// LastDown is when they went down last, or may have; zero: never.
	LastDown time.Time
	// NomadKnown is false when Nomad can't be asked: then nothing may be destroyed.
	NomadKnown bool
	// NomadRecovered is when Nomad came back or changed its leader last; zero: long ago. For recoveryTime after it, what
	// Nomad reports of its nodes' health isn't acted upon.
	NomadRecovered time.Time
	// HostsKnown is true if it was observed what Harvester does with its hosts and itself. See NeedsHosts.
	HostsKnown bool
	// HostsInMaintenance are those of members that don't work, and of Suspension.Hosts, that are in maintenance, sorted.
	HostsInMaintenance []string
	// Upgrade is the upgrade of Harvester that is under way, which stops and moves VMs; nil: none. Only observed when
	// NeedsHosts.
	Upgrade *Upgrade
	// Suspension is why it isn't judged whether members work. See Suspension.Update.
	Suspension Suspension
	// UsageUnknown is true if Nomad can be asked, but didn't answer how busy the members are. Then NomadKnown is false, so
	// that no member is chosen.
	UsageUnknown bool
	// NomadNotAsked is true while this process has not asked Nomad yet.
	NomadNotAsked bool
	// Servers are those that new members are to join, and NomadLeader is what Nomad's leader calls its own address; empty:
	// not known.
	Servers     []string
	NomadLeader string
	// ServersLeadTo is another Nomad than the pool's connection leads to, in which members that were given the pool's
	// servers were found: one of the two was changed alone. Empty: none was.
	ServersLeadTo string
	// WithoutTLS is true if new members are given no certificate to talk to the servers with.
	WithoutTLS bool
	// NomadMisconfigured is true if Nomad isn't known because of the connection or the token, which a person must mend.
	NomadMisconfigured bool
	// NomadReason and NomadMessage say how Nomad is, for the condition.
	NomadReason, NomadMessage string
	// Problems are what the pre-flight found wrong with the template.
	Problems []condition.Problem
	// Quota is what the namespace's quotas leave for new members; nil: they don't limit them. Only observed when
	// NeedsQuota.
	Quota *Quota
	// Members are all NomadNodes of the pool, leaving ones included.
	Members []Member
	// Usage is what the members' Nomad nodes carry, by member name; nil: not asked. See NeedsUsage.
	Usage map[string]Usage
}

// Member is one NomadNode.
type Member struct {
	Name     string
	Revision string
	// Created is when the member's NomadNode was made, from which its Secret and VM are rendered.
	Created time.Time
	// Elsewhere is true for a member that is in another Nomad cluster than the pool's connection leads to now.
	Elsewhere bool
	// NomadUnknown is true while the Nomad that the member is in can't be asked, also while it hasn't been since the start
	// (NomadNotAsked). NomadRecovered is when it came back or changed its leader last. It needn't be the pool's.
	NomadUnknown, NomadNotAsked bool
	NomadRecovered              time.Time
	// Leaving is true for a member with a drain request or a deletionTimestamp; it doesn't count.
	Leaving bool
	// LeavingSince is when the drain was requested.
	LeavingSince time.Time
	// LeavingReason is that of the drain request.
	LeavingReason v1alpha1.DrainReason
	// Reclaimable is true while the drain can be canceled.
	Reclaimable bool
	// CancelingDrain is true while a drain is being canceled: the node isn't eligible yet, but nothing is wrong with it.
	// No new drain is requested until that is done: the request would overwrite the canceled one, and nobody would know
	// any more who made the node ineligible.
	CancelingDrain bool
	// Joined is true once the Nomad node has been seen ready.
	Joined bool
	// JoinedAt is when that was, by the member's status; zero: not yet written.
	JoinedAt time.Time
	// Ready is true while the Nomad node is ready and eligible.
	Ready bool
	// ReadySince is since when.
	ReadySince time.Time
	// WorkedLast is true for a member that its own status shows as working while Nomad can't be asked: it did when Nomad
	// could, and unknown is not down. It is for counts alone.
	WorkedLast bool
	// Down is true while Nomad reports the member's node as down: nothing runs there. A node that Nomad doesn't know, or
	// that is disconnected, may have work.
	Down bool
	// JoinExpired is true for a member that should have joined by JoinDeadline and has not.
	JoinExpired  bool
	JoinDeadline time.Time
	// UnhealthyTime is since when a member that has joined doesn't work; zero: it works, or that isn't known.
	UnhealthyTime time.Time
	// Halted is true for a member whose VM somebody stopped.
	Halted bool
	// Host is what the member's VM runs on, or ran on last; empty: nothing yet.
	Host string
	// HostMaintenance is true for a member whose host is in maintenance. Only observed when NeedsHosts.
	HostMaintenance bool
	// VMMade is true once the member's VM has been accepted by the API server.
	VMMade bool
	// Blocked is why the member's VM can't be made or, once it is made, can't begin to run for lack of capacity; nil:
	// nothing blocks it.
	Blocked *nodestate.Blocked
	// Stuck is true for a member that leaves and whose VM doesn't go away.
	Stuck bool
	// CertificateEnd is when the client certificate ends that the guest was given; zero: it was given none.
	CertificateEnd time.Time
	// DeleteNext and Protected are the annotations.
	DeleteNext, Protected bool
	// CreateIndex is the Nomad node's; 0: unknown.
	CreateIndex uint64
}

// Usage is what a Nomad node carries.
type Usage struct {
	// Load is the mean of the shares of CPU and memory that are allocated, from 0 to 1, as the Nomad Autoscaler's
	// least_busy takes it (nomad-autoscaler: sdk/helper/scaleutils/nodeselector/least_busy.go).
	Load float64
	// Allocations is how many are live; System is how many of them are of system jobs.
	Allocations, System int
}
