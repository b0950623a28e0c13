package nodestate

import "time"

// Sooner is the shorter of two waits; 0: none. One that is over is none either.
func Sooner(wait, other time.Duration) time.Duration {
	if wait <= 0 || other <= 0 {
		return max(wait, other)
	}
	return min(wait, other)
}
