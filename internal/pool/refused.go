package pool

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// ofTemplate are the reasons of a member's problem that lie in what its template says or names. The others lie elsewhere, such
// as in a Nomad that gives no introduction token, or in hosts that are full.
var ofTemplate = map[string]bool{
	v1alpha1.ReasonImageNotFound: true, v1alpha1.ReasonImageNotReady: true, v1alpha1.ReasonDiskTooSmall: true,
	v1alpha1.ReasonStorageClassNotFound: true, v1alpha1.ReasonNetworkNotFound: true, v1alpha1.ReasonNetworkNotReady: true,
	v1alpha1.ReasonKeyPairNotFound: true, v1alpha1.ReasonSecretNotFound: true, v1alpha1.ReasonTemplateNotFound: true,
	v1alpha1.ReasonTemplateInvalid: true, v1alpha1.ReasonAdmissionDenied: true, v1alpha1.ReasonQuotaExceeded: true,
}

// nameTaken is true for a member that can't have a VM because somebody else's has its name. The next one has another.
func nameTaken(m Member) bool {
	return m.Problem != nil && m.Problem.Reason == v1alpha1.ReasonVMNameTaken
}

// refused is what keeps an active member from being made, or from running; nil: nothing. Members come in any order, and what is
// said of the pool must not change with it, so it is that of the first by name.
func (s Snapshot) refused(of func(Member) bool) *condition.Problem {
	var first *Member
	for _, m := range s.active() {
		if m.Problem != nil && of(m) && (first == nil || m.Name < first.Name) {
			first = &m
		}
	}
	if first == nil {
		return nil
	}
	return first.Problem
}

func anyProblem(Member) bool { return true }

// holdsOthers is true for a member whose problem the next one of the present template would have as well.
func (s Snapshot) holdsOthers(m Member) bool {
	return m.Revision == s.Revision && !nameTaken(m)
}
