package condition

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Problem is what is wrong, as a condition shows it.
type Problem struct {
	// Reason is one of the API's reasons.
	Reason string
	// Message tells what is wrong, where, and what to do, or is a server's answer word for word.
	Message string
}

// True returns a condition that holds.
func True(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False returns a condition that doesn't hold.
func False(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Unknown returns a condition for which it isn't known if it holds.
func Unknown(reason, message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// True returns a condition that holds because of the problem.
func (p Problem) True() metav1.Condition { return True(p.Reason, p.Message) }

// False returns a condition that doesn't hold because of the problem.
func (p Problem) False() metav1.Condition { return False(p.Reason, p.Message) }
