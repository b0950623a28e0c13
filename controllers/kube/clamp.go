package kube

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How many bytes a text from others may have: from Nomad, from webhooks, from the annotations of a pool. The API server
// refuses a whole status if one message in it has more than 32768 (Kubernetes: apimachinery, metav1.Condition), and
// then nothing of it is recorded.
const (
	// MaxNote is for Events. The API server drops a longer one (Kubernetes: pkg/apis/core/validation,
	// NoteLengthLimit).
	MaxNote = 1024
	// MaxMessage is for conditions: short enough to read, and long enough for the answer of a webhook.
	MaxMessage = 4096
	// MaxWord is for single values of a status, and for the name of an allocation.
	MaxWord = 512
	// MaxColumn is for what kubectl shows in a column.
	MaxColumn = 32
)

// Clamp shortens text to limit bytes of valid UTF-8. The API server would replace invalid bytes, so that the stored
// status would always differ from the one that was written.
func Clamp(text string, limit int) string {
	const more = "…"
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	end := limit - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// SetCondition sets a condition of a pool or a member. c is made by internal/condition; kind is its type, generation
// that of the object, and now the time of a transition.
func SetCondition(conditions *[]metav1.Condition, kind string, c metav1.Condition, generation int64, now time.Time) {
	c.Type, c.ObservedGeneration, c.LastTransitionTime = kind, generation, metav1.NewTime(now)
	c.Message = Clamp(c.Message, MaxMessage)
	meta.SetStatusCondition(conditions, c)
}
