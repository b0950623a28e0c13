// Package nomadtarget is the Nomad Autoscaler's target plugin for NomadNodePools. It only sets how many members there
// should be: Scale sets spec.replicas of a pool and returns, Status reads the pool once. Making, draining and deleting
// VMs is the controller's work, so a long drain never blocks a policy and a crash of the autoscaler leaves nothing half
// done.
//
// Nothing that happens here may take the agent or its other policies down. The agent never restarts a plugin that died,
// exits when SetConfig fails at start, and restarts all policies of everybody when an error text contains "EOF" or
// "connection refused" (Nomad Autoscaler v0.5.0: plugins/manager, agent/agent.go, policy/manager.go). Hence: SetConfig
// never dials, panics are caught, faults of the Kubernetes API are Ready=false and not errors, and every error is
// scrubbed. Nothing may enter that knows VMs or asks Nomad.
package nomadtarget
