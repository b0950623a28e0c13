package nomadtarget

import (
	"errors"
	"strings"

	"github.com/hashicorp/nomad-autoscaler/sdk"
)

// poison replaces the texts that make the agent stop and restart all policies when an error contains them (Nomad
// Autoscaler: policy/manager.go, isUnrecoverableError).
var poison = strings.NewReplacer(
	"connection refused", "connection was refused",
	"EOF", "end of stream",
)

// scrub returns an error whose text is safe to hand to the agent. errors.Is and errors.As still see err.
func scrub(err error) error {
	if err == nil {
		return nil
	}
	text := poison.Replace(err.Error())
	var noop *sdk.TargetScalingNoOpError
	if errors.As(err, &noop) {
		// Only the text of the no-op error itself crosses gRPC, so nothing may wrap it.
		return sdk.NewTargetScalingNoOpError("%s", text)
	}
	if text == err.Error() {
		return err
	}
	return &scrubbedError{text: text, err: err}
}

type scrubbedError struct {
	text string
	err  error
}

func (e *scrubbedError) Error() string { return e.text }
func (e *scrubbedError) Unwrap() error { return e.err }
