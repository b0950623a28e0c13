package pool

import (
	"context"
	"time"

	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// templateRefresh is how often a pool with a Harvester template checks for another default version. Nothing is written
// for that.
const templateRefresh = time.Minute

// resolveTemplate puts the Harvester template that the pool's template names under it, in the scope only. It is read
// from the API server, because no cache of these kinds is worth its memory. While it can't be read, the pool keeps its
// revision: a template that isn't known makes no member outdated.
func (r *Reconciler) resolveTemplate(ctx context.Context, s *scope) error {
	tmpl := &s.pool.Spec.Template
	if tmpl.From == nil {
		s.snapshot.Revision = blueprint.Revision(tmpl, &s.pool.Spec.Nomad.NomadClient, s.pool.Spec.Nomad.Region)
		return nil
	}
	s.snapshot.Revision = s.pool.Status.Revision
	if s.snapshot.Deleting {
		return nil
	}
	version, problem, err := preflight.ReadTemplate(ctx, r.Live, *tmpl.From)
	if err != nil {
		return err
	}
	if problem != nil {
		s.unresolved = []condition.Problem{*problem}
		return nil
	}
	resolved, problems := harvestertemplate.Resolve(tmpl, version)
	if s.unresolved = problems; len(problems) == 0 {
		s.pool.Spec.Template = *resolved
		s.snapshot.Revision = blueprint.Revision(resolved, &s.pool.Spec.Nomad.NomadClient, s.pool.Spec.Nomad.Region)
	}
	return nil
}

// requeueAfter returns after how long to reconcile a pool again, if nothing happens before: after wake, unless that is
// 0, and soon enough for what no event is sent of.
func requeueAfter(s *scope, wake time.Duration) time.Duration {
	limit := nomadlink.Refresh
	if s.pool.Spec.Template.From != nil {
		limit = templateRefresh
	}
	if wake == 0 || wake > limit {
		return limit
	}
	return wake
}
