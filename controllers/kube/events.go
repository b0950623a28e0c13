package kube

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// EventSink sends Events whose text fits.
type EventSink struct{ events.EventRecorder }

// Normal sends one of type Normal; related may be nil.
func (e EventSink) Normal(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeNormal, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

// Warn sends one of type Warning.
func (e EventSink) Warn(on runtime.Object, reason, action, format string, args ...any) {
	e.WarnOf(on, nil, reason, action, format, args...)
}

// WarnOf is Warn that names the object that the warning is about: of two Events that differ in their text alone the
// recorder keeps one.
func (e EventSink) WarnOf(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeWarning, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

// note is text as far as an Event may hold it. The conditions have more of it.
func note(text string) string { return Clamp(text, MaxNote) }
