package pool

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// observeJoins adds how the members fared to what the status has of it.
func observeJoins(s *scope) {
	before := joinsOf(s.pool.Status.Joins)
	s.snapshot.Joins = before.Update(joinsKey(s), s.snapshot)
}

// joinsKey stands for whatever may make members join that didn't: the template, the connection, and the annotation by
// which a user asks for another try.
func joinsKey(s *scope) string {
	// Nothing in it can fail to marshal.
	doc, _ := json.Marshal(
		[]any{s.pool.Spec.Nomad.NomadConnection, s.pool.Spec.Nomad.IntroductionToken,
			s.pool.Annotations[v1alpha1.RetryJoinsAnnotation]},
	)
	sum := sha256.Sum256(doc)
	return s.snapshot.Revision + "-" + hex.EncodeToString(sum[:4])
}

func joinsOf(st *v1alpha1.JoinsStatus) pool.Joins {
	if st == nil {
		return pool.Joins{}
	}
	j := pool.Joins{Key: st.Key, Since: st.StartTime.Time}
	for _, r := range st.Results {
		j.Results = append(j.Results, pool.JoinResult{Member: r.Member, Joined: r.Joined, Time: r.ResultTime.Time})
	}
	return j
}

func joinsStatus(j pool.Joins) *v1alpha1.JoinsStatus {
	st := &v1alpha1.JoinsStatus{Key: j.Key, StartTime: metav1.NewTime(j.Since)}
	for _, r := range j.Results {
		st.Results = append(st.Results,
			v1alpha1.JoinResult{Member: r.Member, Joined: r.Joined, ResultTime: metav1.NewTime(r.Time)})
	}
	return st
}

func suspensionOf(st *v1alpha1.SuspensionStatus) pool.Suspension {
	if st == nil {
		return pool.Suspension{}
	}
	return pool.Suspension{Upgrading: st.Upgrading, Hosts: st.Hosts, NomadUnknown: st.NomadUnknown,
		Resumed: nodestate.TimeOf(st.ResumedTime)}
}

func suspensionStatus(u pool.Suspension) *v1alpha1.SuspensionStatus {
	if !u.Upgrading && len(u.Hosts) == 0 && !u.NomadUnknown && u.Resumed.IsZero() {
		return nil
	}
	return &v1alpha1.SuspensionStatus{Upgrading: u.Upgrading, Hosts: u.Hosts, NomadUnknown: u.NomadUnknown,
		ResumedTime: nodestate.MetaTime(u.Resumed)}
}
