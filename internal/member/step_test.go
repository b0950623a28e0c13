package member_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

func TestStepsThatMakeSomething(t *testing.T) {
	for step, want := range map[member.Step]bool{
		member.CreateSecret: true, member.RenewSecret: true, member.CreateVM: true,
		member.Wait: false, member.DeleteVM: false, member.RenewIntroduction: false,
	} {
		if got := step.Making(); got != want {
			t.Errorf("%s: %t, want %t", step, got, want)
		}
	}
}

// Claims and Secret, which come after the VM, are observed of drained members only.
func TestNextStepIsChosenAtOnceIfAllIsObserved(t *testing.T) {
	for _, step := range []member.Step{member.CreateSecret, member.ListClaims, member.Purge, member.DeleteSecret} {
		if !step.Continues(steady()) {
			t.Errorf("after %s the next one waits", step)
		}
	}
	for _, step := range []member.Step{member.Wait, member.CreateVM, member.DeleteVM, member.Drain} {
		if step.Continues(steady()) {
			t.Errorf("after %s the next one doesn't wait", step)
		}
	}
	if !member.MarkDrained.Continues(draining(nil)) {
		t.Error("a drained member's VM is next, and is observed")
	}
	if member.MarkDrained.Continues(draining(nil, noVM)) || member.MarkDrained.Continues(draining(nil, externalVM)) {
		t.Error("without a VM of its own, what is next isn't observed")
	}
}
