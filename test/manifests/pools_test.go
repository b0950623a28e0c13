package manifests

import "strings"

const (
	whole  = `must be of type integer`
	form   = `^-?([0-9]+(\.[0-9]+)?(ms|s|m|h))+$'`
	longer = `longer than programs can count; use a duration such as `
)

var badReplicas = []bad{
	{"spec.replicas: -1", `spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0`},
	{"spec.replicas: 1001", `spec.replicas: Invalid value: 1001: spec.replicas in body should be less than or equal to 1000`},
	{"spec.replicas: 1.5", `spec.replicas: Invalid value: "number": spec.replicas in body ` + whole},
	{"spec.replicas: '3'", `spec.replicas: Invalid value: "string": spec.replicas in body ` + whole},
	{"spec.replicas: [3]", `spec.replicas: Invalid value: "array": spec.replicas in body ` + whole},
	{"spec.minReplicas: -1", `spec.minReplicas: Invalid value: -1: spec.minReplicas in body should be greater than or equal to 0`},
	{"spec.replicas: -\nspec.minReplicas: 1001", `spec.minReplicas: Invalid value: 1001: spec.minReplicas in body should be less than or equal to 1000`},
	{"spec.minReplicas: 2", `spec.replicas: 1 is less than spec.minReplicas 2; ask for at least that many or lower minReplicas`},
	{"spec.maxReplicas: 0", `spec.replicas: 1 is more than spec.maxReplicas 0; ask for at most that many or raise maxReplicas`},
	{"spec.maxReplicas: 1001", `spec.maxReplicas: Invalid value: 1001: spec.maxReplicas in body should be less than or equal to 1000`},
	{"spec.maxReplicas: -1", `spec.maxReplicas: Invalid value: -1`},
	{"spec.replicas: 5\nspec.minReplicas: 5\nspec.maxReplicas: 3", `spec.minReplicas: 5 is more than spec.maxReplicas 3; lower minReplicas or raise maxReplicas`},
	{"spec.paused: 'yes'", `spec.paused: Invalid value: "string": spec.paused in body must be of type boolean`},
	{"spec.replica: 3", `unknown field "spec.replica"`},
}

var badScaleIn = []bad{
	{"spec.scaleIn.strategy: MostBusy", `spec.scaleIn.strategy: Unsupported value: "MostBusy": supported values: "LeastBusy", "NewestCreateIndex", "OldestCreateIndex", "Empty", "EmptyIgnoreSystem"`},
	{"spec.scaleIn.strategy: least_busy", `spec.scaleIn.strategy: Unsupported value: "least_busy": supported values: "LeastBusy"`},
	{"spec.scaleIn.maxConcurrent: 0", `spec.scaleIn.maxConcurrent: Invalid value: 0: spec.scaleIn.maxConcurrent in body should be greater than or equal to 1`},
	{"spec.scaleIn.maxConcurrent: 3000000000", `spec.scaleIn.maxConcurrent: Invalid value: 3000000000: spec.scaleIn.maxConcurrent in body should be less than or equal to 1000`},
	{"spec.scaleIn.stabilizationWindow: 2 minutes", `spec.scaleIn.stabilizationWindow: Invalid value: "2 minutes": spec.scaleIn.stabilizationWindow in body should match '^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$'`},
	{"spec.scaleIn.stabilizationWindow: -1m", `spec.scaleIn.stabilizationWindow: Invalid value: "-1m"`},
	{"spec.scaleIn.stabilizationWindow: 9999999999h", `stabilizationWindow: it is ` + longer + `2m`},
	{"spec.scaleIn.stabilizationWindow: " + strings.Repeat("1s", 33), `spec.scaleIn.stabilizationWindow: Too long: may not be more than 64`},
	{"spec.scaleIn.stabilizationWindow: 120", `spec.scaleIn.stabilizationWindow: Invalid value: "integer"`},
	{"spec.scaleIn.purge: 'no'", `spec.scaleIn.purge: Invalid value: "string"`},
	{"spec.scaleIn.drain.deadline: 0s", `deadline: "0s" is not longer than 0s; Nomad would read 0s as no deadline at all and a negative one as stop everything now; use a duration such as 15m`},
	{"spec.scaleIn.drain.deadline: -1s", `deadline: "-1s" is not longer than 0s`},
	{"spec.scaleIn.drain.deadline: 15", `spec.scaleIn.drain.deadline: Invalid value: "integer"`},
	{"spec.scaleIn.drain.deadline: '15'", `spec.scaleIn.drain.deadline: Invalid value: "15": spec.scaleIn.drain.deadline in body should match '` + form},
	{"spec.scaleIn.drain.deadline: 1d", `spec.scaleIn.drain.deadline: Invalid value: "1d": spec.scaleIn.drain.deadline in body should match '` + form},
	{"spec.scaleIn.drain.deadline: 9999999999h", `deadline: it is ` + longer + `15m`},
	{"spec.scaleIn.drain.onTimeout: Wait", `spec.scaleIn.drain.onTimeout: Unsupported value: "Wait": supported values: "Force", "Retain"`},
	{"spec.scaleIn.drain.ignoreSystemJob: true", `unknown field "spec.scaleIn.drain.ignoreSystemJob"`},
}

var badRollout = []bad{
	{"spec.rollout.type: Recreate", `spec.rollout.type: Unsupported value: "Recreate": supported values: "RollingUpdate", "OnDelete"`},
	{"spec.rollout.maxSurge: -1", `maxSurge: -1 is negative; use a number of members such as 1, or a share such as 25%`},
	{"spec.rollout.maxSurge: 3000000000", `maxSurge: 3000000000 is more than the 1000 members that a pool can have; use a number of members such as 1, or a share such as 25%`},
	{"spec.rollout.maxSurge: 150%", `spec.rollout.maxSurge: Invalid value: "150%": spec.rollout.maxSurge in body should match '^(100|[0-9]{1,2})%$'`},
	{"spec.rollout.maxSurge: '1'", `spec.rollout.maxSurge: Invalid value: "1"`},
	{"spec.rollout.maxSurge: 1.5", `spec.rollout.maxSurge`},
	{"spec.rollout.maxSurge: 0", `maxSurge and maxUnavailable are both 0, so that no member could ever be replaced; set one of them to at least 1`},
	{"spec.rollout.maxSurge: 0%\nspec.rollout.maxUnavailable: 0%", `maxSurge and maxUnavailable are both 0`},
	{"spec.rollout.maxUnavailable: -5", `maxUnavailable: -5 is negative; use a number of members such as 1, or a share such as 25%`},
	{"spec.rollout.maxUnavailable: 3000000000", `maxUnavailable: 3000000000 is more than the 1000 members`},
	{"spec.rollout.maxUnavailable: half", `spec.rollout.maxUnavailable: Invalid value: "half"`},
	{"spec.rollout.minReadySeconds: -1", `spec.rollout.minReadySeconds: Invalid value: -1: spec.rollout.minReadySeconds in body should be greater than or equal to 0`},
	{"spec.rollout.minReadySeconds: 3000000000", `spec.rollout.minReadySeconds: Invalid value: 3000000000: spec.rollout.minReadySeconds in body should be less than or equal to 86400`},
	{"spec.rollout.restartedAt: yesterday", `spec.rollout.restartedAt: Invalid value: "yesterday"`},
	{"spec.rollout.restartedAt: '2026-03-01t12:00:00z'", `spec.rollout.restartedAt: Invalid value: "2026-03-01t12:00:00z"`},
	{"spec.rollout.restartedAt: '2026-03-01T12:00:00+99:00'", `spec.rollout.restartedAt: Invalid value: "2026-03-01T12:00:00+99:00"`},
	{"spec.rollout.restartedAt: '2026-03-01T12:00:60Z'", `spec.rollout.restartedAt: Invalid value: "2026-03-01T12:00:60Z"`},
	{"spec.rollout.restartedAt: '2026-02-30T12:00:00Z'", `spec.rollout.restartedAt: Invalid value: "2026-02-30T12:00:00Z"`},
	{"spec.rollout.maxAge: 10m", `maxAge: "10m" is shorter than 1h, and members would be replaced all the time; use a duration such as 720h`},
	{"spec.rollout.maxAge: 30d", `spec.rollout.maxAge: Invalid value: "30d"`},
	{"spec.rollout.maxAge: 9999999999h", `maxAge: it is ` + longer + `720h`},
}

var badHealth = []bad{
	{"spec.health.joinTimeout: 0s", `joinTimeout: "0s" is not longer than 0s; use a duration such as 10m`},
	{"spec.health.joinTimeout: soon", `spec.health.joinTimeout: Invalid value: "soon"`},
	{"spec.health.joinTimeout: 9999999999h", `joinTimeout: it is ` + longer + `10m`},
	{"spec.health.unhealthyTimeout: -5m", `unhealthyTimeout: "-5m" is not longer than 0s; use a duration such as 5m`},
	{"spec.health.unhealthyTimeout: 9999999999h", `unhealthyTimeout: it is ` + longer + `5m`},
	{"spec.health.maxUnhealthy: -1", `maxUnhealthy: -1 is negative; use a number of members such as 1, or a share such as 40%`},
	{"spec.health.maxUnhealthy: 3000000000", `maxUnhealthy: 3000000000 is more than the 1000 members`},
	{"spec.health.maxUnhealthy: 101%", `spec.health.maxUnhealthy: Invalid value: "101%"`},
	{"spec.health.maxInFlight: 0", `spec.health.maxInFlight: Invalid value: 0: spec.health.maxInFlight in body should be greater than or equal to 1`},
	{"spec.health.maxInFlight: 3000000000", `spec.health.maxInFlight in body should be less than or equal to 1000`},
}

var badNames = []bad{
	{"metadata.name: " + strings.Repeat("a", 41), `has 41 characters; use at most 40, because members are named <pool>-<suffix> and that name is a hostname`},
	{"metadata.name: 7eleven", `metadata.name: "7eleven" does not make a hostname; use lower-case letters, digits and dashes, beginning with a letter`},
	{"metadata.name: a.b", `metadata.name: "a.b" does not make a hostname`},
	{"metadata.name: Small", `metadata.name: Invalid value: "Small"`},
	{"spec: -", `spec: Required value`},
	{"spec.nomad: -", `spec.nomad: Required value`},
	{"spec.template: -", `spec.template: Required value`},
	{"spec.drain: {}", `unknown field "spec.drain"`},
}

// goodPools look like bad ones.
var goodPools = []string{
	"spec.rollout.restartedAt: '2026-03-01T12:00:00.5+01:00'",
	"spec.rollout.maxSurge: 0\nspec.rollout.maxUnavailable: 25%",
	"spec.health.maxUnhealthy: 1000",
	"spec.scaleIn.drain.deadline: 1h30m10.5s",
	"spec.scaleIn.stabilizationWindow: 0s",
	"spec.nomad.servers: ['nomad-1.lan.example:4647', '10.0.0.1', '[fd00::1]:65535', 'n', 'nomad.example.com.']",
	"spec.nomad.address: 'https://[fd00::1]:4646/'",
	"spec.nomad.address: http://nomad_1.lan:80",
	"spec.nomad.region: ''",
	"spec.nomad.nodePool: a_b-C",
	"spec.template.sshKeys: [harvester-public/my.key]",
	"spec.template.disks: [{name: root, size: 1e10, image: default/image-x2k7p}, {name: data, size: 10Gi, storageClassName: lh.local-1}]",
	"spec.template.cloudInit.userDataSecretRef: {name: site.one, key: user_data.yaml}",
}
