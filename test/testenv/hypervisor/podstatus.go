package hypervisor

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostIP is from the range for documentation: nothing is ever sent there.
const hostIP = "192.0.2.1"

// startPod makes the status that of a pod with all containers running and ready.
func startPod(pod *corev1.Pod, ip string) {
	now := metav1.Now()
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &now
	pod.Status.HostIP, pod.Status.PodIP, pod.Status.PodIPs = hostIP, ip, []corev1.PodIP{{IP: ip}}
	pod.Status.ContainerStatuses = containerStatuses(pod, pod.Spec.Containers,
		corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}})
	pod.Status.InitContainerStatuses = nil
	for _, c := range pod.Spec.InitContainers {
		state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: now}}
		if c.RestartPolicy != nil { // a sidecar
			state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
		}
		pod.Status.InitContainerStatuses = append(
			pod.Status.InitContainerStatuses,
			containerStatuses(pod, []corev1.Container{c}, state)...)
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady,
		corev1.PodReady} {
		setCondition(pod, kind, corev1.ConditionTrue, "", "")
	}
}

// finishPod makes the status that of a pod whose containers have ended.
func finishPod(pod *corev1.Pod, failed bool) {
	ended := corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: metav1.Now()}
	pod.Status.Phase = corev1.PodSucceeded
	if failed {
		pod.Status.Phase, ended.ExitCode, ended.Reason = corev1.PodFailed, 1, "Error"
	}
	pod.Status.ContainerStatuses = containerStatuses(pod, pod.Spec.Containers, corev1.ContainerState{Terminated: &ended})
	setCondition(pod, corev1.ContainersReady, corev1.ConditionFalse, "PodCompleted", "")
	setCondition(pod, corev1.PodReady, corev1.ConditionFalse, "PodCompleted", "")
}

func containerStatuses(pod *corev1.Pod, containers []corev1.Container,
	state corev1.ContainerState) []corev1.ContainerStatus {
	started := state.Running != nil
	completed := state.Terminated != nil && state.Terminated.ExitCode == 0
	var statuses []corev1.ContainerStatus
	for _, c := range containers {
		statuses = append(statuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "stand-in://" + string(pod.UID) + "/" + c.Name,
			State: state, Started: &started, Ready: started || (completed && pod.Status.Phase == corev1.PodRunning),
		})
	}
	return statuses
}

// setCondition tells whether it changed anything.
func setCondition(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus,
	reason, message string) bool {
	condition := corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message,
		LastTransitionTime: metav1.Now()}
	for i, old := range pod.Status.Conditions {
		if old.Type != kind {
			continue
		}
		if old.Status == status && old.Reason == reason && old.Message == message {
			return false
		}
		pod.Status.Conditions[i] = condition
		return true
	}
	pod.Status.Conditions = append(pod.Status.Conditions, condition)
	return true
}
