package pool

import (
	"crypto/sha256"
	"encoding/binary"
)

// alphabet of suffixes: no vowels, so that no words appear, and nothing that looks like something else.
const alphabet = "bcdfghjklmnpqrstvwxz2456789"

const (
	suffixLength = 5
	// suffixes is len(alphabet)^suffixLength, 3^15: how many names a pool has.
	suffixes = 14348907
	// stride visits every suffix once, because it shares no divisor with suffixes.
	stride = 8117489
)

// MemberName is the name of a pool's n-th member. No two ordinals of a pool share a name (below 14 million), so a name
// is never used again; and two controllers that make the same member for a moment make the same name, of which the API
// server accepts one.
func MemberName(poolName, poolUID string, ordinal int64) string {
	sum := sha256.Sum256([]byte(poolUID))
	start := binary.BigEndian.Uint64(sum[:8]) % suffixes
	n := (start + uint64(ordinal)%suffixes*stride) % suffixes
	suffix := make([]byte, suffixLength)
	for i := range suffix {
		suffix[i] = alphabet[n%uint64(len(alphabet))]
		n /= uint64(len(alphabet))
	}
	return poolName + "-" + string(suffix)
}

// lost is how many members in a row may have been made and gone again without the pool's status telling of it.
const lost = 16

// NextOrdinal numbers the next member: the recorded number, or more if members exist that were made after it was
// written. A record that was lost would otherwise have their names used again once they are gone.
func NextOrdinal(poolName, poolUID string, recorded int64, exists func(name string) bool) int64 {
	next := recorded
	for n := recorded; n < next+lost; n++ {
		if exists(MemberName(poolName, poolUID, n)) {
			next = n + 1
		}
	}
	return next
}
