package blueprint

import (
	"regexp"
	"strings"
)

// incarnationPattern is what incarnation gives: the first part of a UUID.
var incarnationPattern = regexp.MustCompile(`^[0-9a-f]{8}$`)

// SecretOfClaim is the name of the cloud-init Secret of the member that a claim belongs to. It is false for a claim
// whose name isn't one that a member of this name gives its claims.
func SecretOfClaim(member, claim string) (string, bool) {
	rest, ok := strings.CutPrefix(claim, member+"-")
	at := strings.LastIndexByte(rest, '-')
	if member == "" || !ok || at < 1 || !incarnationPattern.MatchString(rest[at+1:]) {
		return "", false
	}
	return SecretName(Member{Name: member, NodeID: rest[at+1:]}), true
}
