package nomad

import "time"

const busyText = "it answers so slowly that further requests wait their turn"

// BusyError is the error of a request that wasn't sent, because others to the same server, or to slow ones, are still
// waiting for an answer. It is ErrUnreachable as well.
type BusyError struct{ after time.Duration }

// Error is error's.
func (e *BusyError) Error() string { return "not asked: " + busyText }

// Is is for errors.Is.
func (e *BusyError) Is(target error) bool { return target == ErrUnreachable }

// RetryAfter is how long to wait before the request is tried again.
func (e *BusyError) RetryAfter() time.Duration { return e.after }

// Those who are refused come back one after the other, not sooner than retryFirst, and none later than retryLast.
const (
	retryFirst = 500 * time.Millisecond
	retryEach  = 50 * time.Millisecond
	retryLast  = time.Minute
)

// retries says when the next one who is refused is to come back. The caller locks.
type retries struct{ last time.Time }

func (r *retries) next(now time.Time) time.Duration {
	at := r.last.Add(retryEach)
	if earliest := now.Add(retryFirst); at.Before(earliest) {
		at = earliest
	}
	if latest := now.Add(retryLast); at.After(latest) {
		at = latest
	}
	r.last = at
	return at.Sub(now)
}
