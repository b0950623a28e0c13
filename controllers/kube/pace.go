package kube

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pace remembers when the status of each object was last written, so that mere details are written only so often. Its
// zero value remembers nothing.
type Pace struct{ at ByName[time.Time] }

// Left is how much longer details of an object wait; 0: they don't.
func (p *Pace) Left(name types.NamespacedName, now time.Time, interval time.Duration) time.Duration {
	at, _ := p.at.Get(name)
	return pauseLeft(at, now, interval)
}

// pauseLeft is how much is left of a pause that began then.
func pauseLeft(since, now time.Time, pause time.Duration) time.Duration {
	left := since.Add(pause).Sub(now)
	if left > pause { // the clock was set back
		return 0
	}
	return max(left, 0)
}

// DropMessages drops what conditions say beyond their reasons.
func DropMessages(conditions []metav1.Condition) {
	for i := range conditions {
		conditions[i].Message = ""
	}
}

// Wrote notes that the status is written now.
func (p *Pace) Wrote(name types.NamespacedName, now time.Time) { p.at.Put(name, now) }

// Forget forgets an object that is gone.
func (p *Pace) Forget(name types.NamespacedName) { p.at.Forget(name) }
