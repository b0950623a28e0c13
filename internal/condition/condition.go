// Package condition is what both decisions make conditions of: a Problem, and metav1's Condition without the type and
// the times, which whoever writes it adds. Nothing reads a reason or a message to decide by it: they are for people.
package condition

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Problem is what is wrong, as a condition says it.
type Problem struct {
	// Reason is one of the API's reasons.
	Reason string
	// Message says what is wrong, where, and what to do, or is a server's answer word for word.
	Message string
}

// True is the state of a condition that holds.
func True(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False is the state of a condition that doesn't hold.
func False(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Unknown is the state of a condition of which nobody can tell.
func Unknown(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// True is the state of a condition that holds because of the problem.
func (p Problem) True() metav1.Condition { return True(p.Reason, p.Message) }

// False is the state of a condition that doesn't hold because of the problem.
func (p Problem) False() metav1.Condition { return False(p.Reason, p.Message) }
