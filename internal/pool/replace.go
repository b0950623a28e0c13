package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// nameTakenTimeout is how old a member must be to be replaced because its name is taken. Its NomadNode goes at once,
// and another controller, which led until a moment ago and is about to make the same member, must not use its name
// again.
const nameTakenTimeout = 30 * time.Second

// replace deletes the NomadNodes of blocked members of which nothing else exists, so that nobody loses anything: those
// whose VM was refused, of a template that has changed since, and those whose name an external VM has. If they stayed,
// they would be tried again for ever, and the former would report a mistake that was corrected. Victims leave anyway. A
// member whose VM could not be made for another reason than a refusal may have one, since only the answer may have been
// lost.
func replace(x *index, p *Plan) {
	if x.Paused || len(x.blocked) == 0 {
		return
	}
	victims := setOf(p.Victims)
	for _, m := range x.blocked {
		switch left := m.Created.Add(nameTakenTimeout).Sub(x.Now); {
		case m.Blocked.By == v1alpha1.BlockedByFailure || m.VMMade || m.Protected || victims[m.Name]:
		case m.Revision != x.Revision, nameTaken(m) && left <= 0:
			p.Replace = append(p.Replace, m.Name)
		case nameTaken(m):
			p.wakeIn(left)
		}
	}
}
