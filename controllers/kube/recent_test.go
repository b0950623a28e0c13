package kube

import (
	"testing"
	"time"
)

func TestRecent(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var r Recent[string, int]
	r.Put("a", 1, now)
	for after, want := range map[time.Duration]bool{0: true, recentFor - 1: true, recentFor: false, -time.Minute: false} {
		if value, at, ok := r.Get("a", now.Add(after)); ok != want || ok && (value != 1 || !at.Equal(now)) {
			t.Errorf("after %s: %d of %s, %t", after, value, at, ok)
		}
	}
	if _, _, ok := r.Get("b", now); ok {
		t.Error("remembers what nobody read")
	}
	r.Put("b", 2, now.Add(recentFor))
	if len(r.of) != 1 {
		t.Errorf("keeps %d readings, not the recent one", len(r.of))
	}
}
