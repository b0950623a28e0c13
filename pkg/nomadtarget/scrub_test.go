package nomadtarget

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/nomad-autoscaler/sdk"
	"pgregory.net/rapid"
)

func harmful(text string) bool {
	return strings.Contains(text, "connection refused") || strings.Contains(text, "EOF")
}

func TestScrub(t *testing.T) {
	if err := scrub(nil); err != nil {
		t.Errorf("scrub(nil) = %v", err)
	}
	plain := errors.New("nothing harmful")
	if got := scrub(plain); !errors.Is(got, plain) || got.Error() != plain.Error() {
		t.Errorf("a harmless error was changed: %v", got)
	}
	got := scrub(fmt.Errorf("read pool: dial tcp 127.0.0.1:1: connect: connection refused: %w", io.ErrUnexpectedEOF))
	if want := "read pool: dial tcp 127.0.0.1:1: connect: connection was refused: unexpected end of stream"; got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(got, io.ErrUnexpectedEOF) {
		t.Error("errors.Is no longer sees the cause")
	}
	var noop *sdk.TargetScalingNoOpError
	if err := scrub(fmt.Errorf("outer: %w", sdk.NewTargetScalingNoOpError("saw EOF 100%%"))); !errors.As(err, &noop) ||
		noop.Error() != "outer: saw end of stream 100%" {
		t.Errorf("no-op error came out as %#v", err)
	}
}

func TestScrubbedTextIsNeverHarmful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.SampledFrom([]string{"EOF", "E", "OF", "connection", " ", "refused",
			"connection refused", "unexpected ", "x"})).
			Draw(t, "words")
		if text := strings.Join(words, ""); harmful(scrub(errors.New(text)).Error()) {
			t.Fatalf("%q became %q", text, scrub(errors.New(text)))
		}
	})
}
