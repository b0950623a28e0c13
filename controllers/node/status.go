package node

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const maxBlocking = 5

// statusOf is the status that a NomadNode gets: what was observed, what the step has learnt, and the description.
func statusOf(s *scope, n *v1alpha1.NomadNode, out member.Outcome, d member.Description) v1alpha1.NomadNodeStatus {
	st, o := n.Status.DeepCopy(), out.After(s.observed)
	st.ObservedGeneration = n.Generation
	st.Phase, st.BlockedBy, st.DrainResult = d.Phase, d.BlockedBy, o.Node.DrainResult
	st.HasIntroductionToken = o.HasIntroductionToken
	setVMStatus(st, s, o)
	setNomadStatus(st, s, o)
	st.Nomad.CertificateExpirationTime = nodestate.MetaTime(o.Node.CertificateEnd)
	st.JoinedTime = nodestate.MetaTime(d.JoinedTime)
	st.UnhealthyTime = nodestate.MetaTime(d.UnhealthyTime)
	st.Nomad.OnlySystemTime, st.Nomad.ForcedTime = nodestate.MetaTime(d.OnlySystemTime), nodestate.MetaTime(d.ForcedTime)
	st.VM.CapacityAvailableTime = nodestate.MetaTime(d.CapacityAvailableTime)
	for _, t := range v1alpha1.NodeConditions {
		kube.SetCondition(&st.Conditions, t, d.Conditions[t], n.Generation, o.Now)
	}
	return *st
}

func setVMStatus(st *v1alpha1.NomadNodeStatus, s *scope, o nodestate.State) {
	v := &st.VM
	switch {
	case s.vm == nil:
		v.Status, v.Host, v.Address = "", "", ""
		if v.UID != "" {
			v.Status = "Gone"
		}
		return
	case !o.VM.Owned:
		v.Status = "NameTaken"
		return
	}
	v.UID, v.Status, st.Claims = string(s.vm.UID), o.VM.Status, nodestate.ClaimsOf(s.node)
	v.CreationTime = &metav1.Time{Time: s.vm.CreationTimestamp.Time}
	v.Host, v.Address = "", ""
	if s.vmi != nil {
		v.Host = s.vmi.Status.NodeName
		v.Address = AddressOf(s.vmi.Status.Interfaces)
	}
}

// AddressOf is the first address of an instance; empty: it has none.
func AddressOf(all []kubevirtv1.VirtualMachineInstanceNetworkInterface) string {
	for _, i := range all {
		if i.IP != "" {
			return i.IP
		}
	}
	return ""
}

func setNomadStatus(st *v1alpha1.NomadNodeStatus, s *scope, is nodestate.State) {
	v, o := &st.Nomad, is.Nomad
	v.Cluster = cmp.Or(v.Cluster, s.foundIn)
	if o.NotAsked {
		return // just after a start, the last status stays for a moment
	}
	v.Allocations, v.Blocking = nil, nil
	if !is.Node.Leaving() {
		v.StopTime = nil
	} else if stop := o.StopTime; stop != nil && (v.StopTime == nil || v.StopTime.Duration < *stop) {
		v.StopTime = &metav1.Duration{Duration: *stop}
	}
	if is.Node.Leaving() && !is.Node.Drained && o.LiveKnown {
		n := int32(len(o.Live))
		v.Allocations = &n
		v.Blocking = member.Blocking(is, maxBlocking)
	}
	if !o.Known {
		return // The last known state stays: unknown is not gone.
	}
	v.IDTaken = o.External != ""
	if !o.Registered {
		v.Status = ""
		if v.ShortID != "" {
			v.Status = "gone"
		}
		if o.MetaChanged {
			v.Status = "unlisted"
		}
		return
	}
	v.ShortID, v.Cluster = short(s.node.Spec.NodeID), s.link.Where
	switch {
	case o.Status != "ready":
		v.Status = o.Status
	case o.Draining:
		v.Status = "draining"
	case !o.Eligible:
		v.Status = "ineligible"
	default:
		v.Status = "ready"
	}
}
