package node

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const maxBlocking = 5

// setStatus sets the status of the NomadNode in memory: what was observed, what the step has learnt, and the
// description.
func setStatus(s *scope, out member.Outcome, d member.Description) {
	st, o := &s.node.Status, out.After(s.observed)
	st.ObservedGeneration = s.node.Generation
	st.Phase, st.BlockedBy, st.DrainResult = d.Phase, d.BlockedBy, o.Node.DrainResult
	setVMStatus(s, o)
	setNomadStatus(s, o)
	if st.JoinedTime == nil && o.Nomad.Known && o.Nomad.Registered && o.Nomad.Status == "ready" {
		st.JoinedTime = &metav1.Time{Time: o.Now.Truncate(time.Second)}
	}
	st.UnhealthyTime = nodestate.MetaTime(d.UnhealthyTime)
	st.Nomad.OnlySystemTime = nodestate.MetaTime(d.OnlySystemTime)
	st.VM.CapacityAvailableTime = nodestate.MetaTime(d.CapacityAvailableTime)
	for _, t := range v1alpha1.NodeConditions {
		kube.SetCondition(&st.Conditions, t, d.Conditions[t], s.node.Generation, o.Now)
	}
}

func setVMStatus(s *scope, o nodestate.State) {
	v := &s.node.Status.VM
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
	v.UID, v.Status = string(s.vm.UID), o.VM.Status
	v.CreationTime = &metav1.Time{Time: s.vm.CreationTimestamp.Time}
	v.Host, v.Address = "", ""
	if s.vmi != nil {
		v.Host = s.vmi.Status.NodeName
		for _, i := range s.vmi.Status.Interfaces {
			if i.IP != "" {
				v.Address = i.IP
				break
			}
		}
	}
}

func setNomadStatus(s *scope, is nodestate.State) {
	v, o := &s.node.Status.Nomad, is.Nomad
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
	v.IDTaken = is.Node.IDTaken
	if !o.Known {
		return // The last known state stays: unknown is not gone.
	}
	v.IDTaken = o.External != ""
	if !o.Registered {
		v.Status = ""
		if v.ShortID != "" {
			v.Status = "gone"
		}
		return
	}
	v.ShortID, v.Cluster = short(s.node.Spec.NodeID), s.link.Where
	switch {
	case o.Status != "ready":
		v.Status = kube.Clamp(o.Status, kube.MaxWord)
	case o.Draining:
		v.Status = "draining"
	case !o.Eligible:
		v.Status = "ineligible"
	default:
		v.Status = "ready"
	}
}
