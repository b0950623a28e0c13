package controllers

import "unicode/utf8"

const (
	// maxNote is how many bytes an Event may say. The API server drops one that says more (Kubernetes: pkg/apis/core/validation,
	// NoteLengthLimit).
	maxNote = 1024
	// maxMessage is how many bytes a condition says. The API server refuses the whole status over 32,768 in one of them, and then
	// nothing of it is written any more, whatever happens: the texts of others end up here, such as a proxy's page or a webhook's list.
	maxMessage = 4096
)

// clamp is the text, or its beginning if it is longer than most bytes.
func clamp(most int, text string) string {
	const more = "…"
	if len(text) <= most {
		return text
	}
	end := most - len(more)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
