package kube

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// How many bytes a text may have that others write: Nomad, webhooks, whoever may annotate a pool. The API server
// refuses a status whole if one message in it has more than 32768 (Kubernetes: apimachinery, metav1.Condition), and
// then nothing of it is recorded.
const (
	// MaxNote is for Events. The API server drops one that says more (Kubernetes: pkg/apis/core/validation,
	// NoteLengthLimit).
	MaxNote = 1024
	// MaxMessage is for conditions: what people read, and yet the whole answer of a webhook.
	MaxMessage = 4096
	// MaxWord is for single values of a status, as kubectl shows them in a column, and for the name of an allocation.
	MaxWord = 512
)

// Clamp is text as far as limit bytes hold it. It is valid UTF-8: the API server would store other bytes as something
// else, so that the status differed from what was written for ever.
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

// SetCondition is how every condition of pools and members is written: of a type, with what internal/condition made
// of it, as it is at the time now of an object of that generation.
func SetCondition(conditions *[]metav1.Condition, kind string, c metav1.Condition, generation int64, now time.Time) {
	c.Type, c.ObservedGeneration, c.LastTransitionTime = kind, generation, metav1.NewTime(now)
	c.Message = Clamp(c.Message, MaxMessage)
	meta.SetStatusCondition(conditions, c)
}
