package acl

import (
	"fmt"
	"regexp"
	"slices"
)

// Words of the policy language that stand for a level of permission.
const (
	PolicyDeny  = "deny"
	PolicyRead  = "read"
	PolicyList  = "list"
	PolicyWrite = "write"
	PolicyScale = "scale"
)

// Capabilities in a namespace.
const (
	CapabilityDeny           = "deny"
	ListJobs                 = "list-jobs"
	ParseJob                 = "parse-job"
	ReadJob                  = "read-job"
	SubmitJob                = "submit-job"
	DispatchJob              = "dispatch-job"
	ReadLogs                 = "read-logs"
	ReadFS                   = "read-fs"
	AllocExec                = "alloc-exec"
	AllocNodeExec            = "alloc-node-exec"
	AllocLifecycle           = "alloc-lifecycle"
	SentinelOverride         = "sentinel-override"
	CSIRegisterPlugin        = "csi-register-plugin"
	CSIWriteVolume           = "csi-write-volume"
	CSIReadVolume            = "csi-read-volume"
	CSIListVolume            = "csi-list-volume"
	CSIMountVolume           = "csi-mount-volume"
	HostVolumeCreate         = "host-volume-create"
	HostVolumeRegister       = "host-volume-register"
	HostVolumeRead           = "host-volume-read"
	HostVolumeWrite          = "host-volume-write"
	HostVolumeDelete         = "host-volume-delete"
	ListScalingPolicies      = "list-scaling-policies"
	ReadScalingPolicy        = "read-scaling-policy"
	ReadJobScaling           = "read-job-scaling"
	ScaleJob                 = "scale-job"
	SubmitRecommendation     = "submit-recommendation"
	NodePoolCapabilityDelete = "delete"
	NodePoolCapabilityRead   = "read"
	NodePoolCapabilityWrite  = "write"
)

// Capabilities on paths of variables.
const (
	VariablesCapabilityList    = "list"
	VariablesCapabilityRead    = "read"
	VariablesCapabilityWrite   = "write"
	VariablesCapabilityDestroy = "destroy"
)

var (
	readCapabilities = []string{
		ListJobs, ParseJob, ReadJob, CSIListVolume, CSIReadVolume, ReadJobScaling, ListScalingPolicies, ReadScalingPolicy,
		HostVolumeRead,
	}
	writeCapabilities = append(slices.Clone(readCapabilities),
		ScaleJob, SubmitJob, DispatchJob, ReadLogs, ReadFS, AllocExec, AllocLifecycle, CSIMountVolume, CSIWriteVolume,
		SubmitRecommendation, HostVolumeCreate, HostVolumeRegister, HostVolumeWrite, HostVolumeDelete)
	// With "scale" and the right to read nodes the autoscaler sees allocations (facts/test-world.md: tried on 1.11.3).
	scaleCapabilities = []string{ListJobs, ReadJob, ListScalingPolicies, ReadScalingPolicy, ReadJobScaling, ScaleJob}

	namespaceCapabilities = append(slices.Clone(writeCapabilities),
		CapabilityDeny, AllocNodeExec, SentinelOverride, CSIRegisterPlugin)
	nodePoolCapabilities = []string{CapabilityDeny, NodePoolCapabilityDelete, NodePoolCapabilityRead,
		NodePoolCapabilityWrite}
	variablesCapabilities = []string{CapabilityDeny, VariablesCapabilityList, VariablesCapabilityRead,
		VariablesCapabilityWrite, VariablesCapabilityDestroy}
	hostVolumeCapabilities = []string{CapabilityDeny, "mount-readonly", "mount-readwrite"}
)

// kind is one sort of rule that has a name, a shorthand and capabilities.
type kind struct {
	name       string
	shorthands map[string][]string
	known      []string
	names      *regexp.Regexp // nil: any
}

var (
	namespaceKind = kind{"namespace", map[string][]string{
		PolicyDeny: {
			CapabilityDeny}, PolicyRead: readCapabilities, PolicyWrite: writeCapabilities, PolicyScale: scaleCapabilities,
	}, namespaceCapabilities, regexp.MustCompile(`^[a-zA-Z0-9-*]{1,128}$`)}
	nodePoolKind = kind{"node pool", map[string][]string{
		PolicyDeny: {CapabilityDeny}, PolicyRead: {NodePoolCapabilityRead},
		PolicyWrite: {NodePoolCapabilityDelete, NodePoolCapabilityRead, NodePoolCapabilityWrite},
	}, nodePoolCapabilities, regexp.MustCompile(`^[a-zA-Z0-9-_*]{1,128}$`)}
	hostVolumeKind = kind{"host volume", map[string][]string{
		PolicyDeny: {CapabilityDeny}, PolicyRead: {"mount-readonly"}, PolicyWrite: {"mount-readonly", "mount-readwrite"},
	}, hostVolumeCapabilities, nil}
)

// expand adds what the shorthand stands for, as Nomad does when it parses a policy: GET /v1/acl/policy/:name then shows
// capabilities where the author wrote "read" (internal/nomad/grants.go depends on it).
func (k kind) expand(shorthand string, capabilities []string) ([]string, error) {
	for _, c := range capabilities {
		if !slices.Contains(k.known, c) {
			return nil, refused("Invalid %s capability '%s'", k.name, c)
		}
	}
	if shorthand == "" {
		return capabilities, nil
	}
	more, ok := k.shorthands[shorthand]
	if !ok {
		return nil, refused("Invalid %s policy: %s", k.name, shorthand)
	}
	out := slices.Clone(capabilities)
	for _, c := range more {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

// refused is an error in Nomad's words, which begin with a capital.
func refused(format string, args ...any) error { return parseError(fmt.Sprintf(format, args...)) }

type parseError string

func (e parseError) Error() string { return string(e) }
