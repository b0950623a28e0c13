package kube

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// EventSink emits Events, with notes that are short enough for the API server.
type EventSink struct{ events.EventRecorder }

// Normal emits an Event of type Normal; related may be nil.
func (e EventSink) Normal(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeNormal, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

// Warn emits an Event of type Warning.
func (e EventSink) Warn(on runtime.Object, reason, action, format string, args ...any) {
	e.WarnOf(on, nil, reason, action, format, args...)
}

// WarnOf is Warn with a related object. The recorder keeps only one of two Events that differ in nothing but their
// text.
func (e EventSink) WarnOf(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeWarning, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

// note shortens a text for an Event. Conditions have more of it.
func note(text string) string { return Clamp(text, MaxNote) }
