package messages

import (
	"slices"
	"strings"
)

// Whether some texts are reported in a run is chance, and a busy machine makes more of it. No run fails for being the
// first that has one.
var (
	// passing are the reasons whose messages repeat what goes wrong at this moment between us and Nomad, or the API
	// server: of these it only counts that the reason itself is documented.
	passing = []string{
		"CreateFailed", "IntroductionTokenMissing", "Joining", "NomadUnknown", "NomadUnreachable", "Unknown", "Unreachable",
	}
	// chance are what is reported only if one thing happens before another, or parts of it.
	chance = []string{
		// A member that leaves, while its VM, its claims or Nomad take long.
		"Nomad doesn't know the node although its guest runs", "If allocations were left can't be told",
		"It is asked again at least every 15 s", "; then the member stays, because it is to leave only if it is empty",
		"The VM doesn't go away, because its guest may still run on",
		"Its deletion was asked for, so it goes all the same at",
		"The VM is gone, but its instance doesn't go away", "The guest is gone, but its VM doesn't go away",
		"Claims are being deleted and don't go away", "The member's removal is refused.",
		"The member's VM goes at the drain deadline",
		"its guest didn't join Nomad within health.joinTimeout, and it is replaced",
		// A pool of whose members some join late, or fall ill.
		"At least half of the last members didn't join Nomad", "None of their VMs is left.",
		"Nobody is replaced, because members made anew don't join Nomad", "Nobody is replaced while Nomad can't be asked",
		"It stays, because its VM is halted", "spec.paused holds the pool: no member is replaced",
		"No outdated member is replaced before", "The rollout goes on when the pool's surplus has left",
		"Nomad doesn't tell how busy the members are",
	}
)

// byChance reports whether a text that is reported with a reason needn't be documented.
func byChance(reason, text string) bool {
	_, reason, _ = strings.Cut(strings.Replace(reason, " Event ", " ", 1), " ")
	has := func(part string) bool { return strings.Contains(text, part) }
	return slices.Contains(passing, reason) || slices.ContainsFunc(chance, has)
}
