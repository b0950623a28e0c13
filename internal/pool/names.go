package pool

import (
	"crypto/sha256"
	"encoding/binary"
)

// alphabet of suffixes: no vowels, so that no words appear, and no characters that look alike.
const alphabet = "bcdfghjklmnpqrstvwxz2456789"

const (
	suffixLength = 5
	// suffixes is len(alphabet)^suffixLength, 3^15: how many names a pool has.
	suffixes = 14348907
	// stride visits every suffix once, because it shares no divisor with suffixes.
	stride = 8117489
)

// MemberName returns the name of a pool's n-th member. No two ordinals of a pool share a name (below 14 million), so a
// name is never used again. Two controllers that make the same member at the same moment use the same name, and the API
// server accepts one of them.
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

// MaxUncounted is how many members in a row may have been made and gone again without being counted in the pool's
// status. No more may be under way at the same time: where making some of them fails, and the next ones are made, as
// many numbers are passed over.
const MaxUncounted = 16

// NextOrdinal returns the number of the next member: the recorded one, or a higher one if members exist that were made
// after it was written. If a status was lost, their names would otherwise be used again once they are gone.
func NextOrdinal(poolName, poolUID string, recorded int64, exists func(name string) bool) int64 {
	next := recorded
	for n := recorded; n < next+MaxUncounted; n++ {
		if exists(MemberName(poolName, poolUID, n)) {
			next = n + 1
		}
	}
	return next
}
