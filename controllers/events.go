package controllers

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// eventSink sends Events whose text fits.
type eventSink struct{ events.EventRecorder }

func (e eventSink) normal(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeNormal, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

func (e eventSink) warn(on runtime.Object, reason, action, format string, args ...any) {
	e.warnOf(on, nil, reason, action, format, args...)
}

// warnOf names the object that the warning is about: of two Events that differ in their text alone the recorder keeps one.
func (e eventSink) warnOf(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeWarning, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

// note is text as far as an Event may hold it. The conditions have more of it.
func note(text string) string { return clamp(text, maxNote) }
