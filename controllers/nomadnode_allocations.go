package controllers

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func memberAllocations(live []nomad.Allocation) []member.Allocation {
	var out []member.Allocation
	for _, a := range live {
		out = append(out, member.Allocation{System: a.JobType == "system", Name: allocationName(a)})
	}
	return out
}

// allocationName tells an operator what to look for: job, group and index, as nomad job status shows them, the ID, and since
// when the allocation has been there. The text stays the same for as long as nothing happens to the allocation, because it
// goes into conditions.
func allocationName(a nomad.Allocation) string {
	name := a.Name + " (" + short(a.ID) + "), " + a.ClientStatus
	if a.Namespace != "" && a.Namespace != "default" {
		name = a.Namespace + "/" + name
	}
	since := a.CreateTime.UTC().Format(time.RFC3339)
	if a.ClientStatus == "running" {
		return name + " since " + since
	}
	return name + ", placed " + since
}
