// Package hypervisor stands in for the machines of a Harvester cluster: for the scheduler, and on every host
// for kubelet, virt-handler and virt-launcher. Everything above is real: virt-controller makes the pods and
// the instances, and what is reported here is what it acts on.
//
// Pods are bound to hosts in turn (of selectors only the hostname counts; affinity, taints and resources don't), wait
// for their Secrets and claims as a kubelet does, and run at once. Guests boot from the cloud-config in the VM's
// Secret; see package guest. Live migrations take no time. Absent: hotplug, snapshots, guest agent, networks: every
// guest is on this machine's loopback, or has one of its own that leads there.
//
// Real or stand-in: a stand-in. May not enter: knowledge of the product: it acts on the objects of KubeVirt and
// Kubernetes alone.
package hypervisor
