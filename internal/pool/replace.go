package pool

import "slices"

// obsolete are the members to be replaced: those whose VM was refused, of a template that has changed since, and those whose name
// somebody else's VM has. Nothing of them exists but their record, so nobody loses anything; kept, they would be tried again for
// ever, and the former would tell of a mistake that was corrected. Victims leave anyway.
func obsolete(s Snapshot, victims []string) []string {
	if s.Paused {
		return nil
	}
	var out []Member
	for _, m := range s.active() {
		if m.Problem != nil && !m.VMMade && (m.Revision != s.Revision || nameTaken(m)) && !m.Protected && !slices.Contains(victims, m.Name) {
			out = append(out, m)
		}
	}
	replace := names(out)
	slices.Sort(replace)
	return replace
}
