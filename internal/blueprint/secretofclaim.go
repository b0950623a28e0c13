package blueprint

import (
	"regexp"
	"strings"
)

// uidSuffixPattern matches what uidSuffix returns: the first part of a UUID.
var uidSuffixPattern = regexp.MustCompile(`^[0-9a-f]{8}$`)

// SecretOfClaim is the name of the cloud-init Secret of the member that a claim belongs to. It is false if a member of
// this name can't have a claim of that name.
func SecretOfClaim(member, claim string) (string, bool) {
	rest, ok := strings.CutPrefix(claim, member+"-")
	at := strings.LastIndexByte(rest, '-')
	if member == "" || !ok || at < 1 || !uidSuffixPattern.MatchString(rest[at+1:]) {
		return "", false
	}
	return SecretName(Member{Name: member, NodeID: rest[at+1:]}), true
}
