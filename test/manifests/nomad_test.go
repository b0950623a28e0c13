package manifests

import "strings"

const (
	aServer  = ` is not a host or host:port; name Nomad servers, whose RPC port is usually 4647`
	anAPI    = ` is not the URL of a Nomad API; use http://host:port or https://host:port, usually with port 4646`
	aPool    = ` is not a node pool that a client can be in; use 1 to 128 letters, digits, dashes and underscores, and not "all"`
	aSecret  = ` is not the name of a Secret; use lower-case letters, digits, dashes and dots`
	download = "spec.nomad.install: {download: {url: 'URL', sha256: SUM}}"
)

var badNomad = []bad{
	{"spec.nomad.servers: -", `spec.nomad.servers: Required value`},
	{"spec.nomad.servers: []", `spec.nomad.servers: Invalid value: 0: spec.nomad.servers in body should have at least 1 items`},
	{"spec.nomad.servers: [" + strings.Repeat("n, ", 17) + "]", `spec.nomad.servers: Too many: 17: must have at most 16 items`},
	{"spec.nomad.servers: nomad.example.com", `spec.nomad.servers: Invalid value: "string"`},
	{"spec.nomad.servers: ['']", `servers: ""` + aServer},
	{"spec.nomad.servers: ['https://nomad:4646']", `servers: "https://nomad:4646"` + aServer},
	{"spec.nomad.servers: ['nomad:99999']", `servers: "nomad:99999"` + aServer},
	{"spec.nomad.servers: ['nomad:0']", `servers: "nomad:0"` + aServer},
	{"spec.nomad.servers: ['a,b']", `servers: "a,b"` + aServer},
	{"spec.nomad.servers: ['provider=aws tag_key=nomad']", `servers: "provider=aws tag_key=nomad"` + aServer},
	{"spec.nomad.servers: ['fd00::1']", `servers: "fd00::1"` + aServer},
	{"spec.nomad.servers: [\"nomad\\n\"]", `servers: it has a line break in it; leave that out`},
	{"spec.nomad.servers: ['-nomad']", `servers: "-nomad"` + aServer},
	{"spec.nomad.servers: [" + strings.Repeat("a", 260) + "]", `spec.nomad.servers[0]: Too long: may not be more than 259`},
	{"spec.nomad.address: nomad:4646", `address: "nomad:4646"` + anAPI},
	{"spec.nomad.address: https://nomad:4646/v1", `address: "https://nomad:4646/v1"` + anAPI},
	{"spec.nomad.address: ftp://nomad", `address: "ftp://nomad"` + anAPI},
	{"spec.nomad.address: https://", `address: "https://"` + anAPI},
	{"spec.nomad.address: https://nomad:99999", `address: "https://nomad:99999"` + anAPI},
	{"spec.nomad.address: https://nomad:4646?token=x", `address: "https://nomad:4646?token=x"` + anAPI},
	{"spec.nomad.address: https://user:word@nomad:4646", anAPI},
	{"spec.nomad.address: https://fd00::1:4646", `address: "https://fd00::1:4646"` + anAPI},
	{"spec.nomad.region: eu west", `region: "eu west" has white space in it; use the name of a region alone, such as global`},
	{"spec.nomad.region: " + strings.Repeat("r", 65), `spec.nomad.region: Too long: may not be more than 64`},
	{"spec.nomad.nodePool: all", `nodePool: "all"` + aPool},
	{"spec.nomad.nodePool: a b", `nodePool: "a b"` + aPool},
	{"spec.nomad.nodePool: ''", `nodePool: ""` + aPool},
	{"spec.nomad.nodePool: " + strings.Repeat("p", 129), aPool},
	{"spec.nomad.nodeClass: " + strings.Repeat("c", 129), `spec.nomad.nodeClass: Too long: may not be more than 128`},
	{"spec.nomad.datacenter: " + strings.Repeat("d", 129), `spec.nomad.datacenter: Too long: may not be more than 128`},
	{"spec.nomad.meta: {harvester_pool_uid: x}", `meta: keys that begin with harvester_ belong to the controller; choose another name`},
	{"spec.nomad.meta: {'': x}", `meta: a key is empty; give it a name, or leave it out`},
	{"spec.nomad.meta: {rack: 7}", `spec.nomad.meta.rack: Invalid value: "integer"`},
	{"spec.nomad.credentialsSecretRef: {}", `spec.nomad.credentialsSecretRef.name: Required value`},
	{"spec.nomad.credentialsSecretRef: {name: ''}", `spec.nomad.credentialsSecretRef.name`},
	{"spec.nomad.credentialsSecretRef: {name: other/nomad}", `name: "other/nomad"` + aSecret},
	{"spec.nomad.credentialsSecretRef: {name: Nomad}", `name: "Nomad"` + aSecret},
	{"spec.nomad.clientTLSSecretRef: {name: ..}", `name: ".."` + aSecret},
	{"spec.nomad.introductionToken: Sometimes", `spec.nomad.introductionToken: Unsupported value: "Sometimes": supported values: "Auto", "Always", "Never"`},
	{"spec.nomad.reserved: {}", `reserved: it is empty; set cpu, memory or disk, or leave it out`},
	{"spec.nomad.reserved: {cpu: 0}", `spec.nomad.reserved.cpu: Invalid value: 0`},
	{"spec.nomad.reserved: {cpu: 3000000000}", `spec.nomad.reserved.cpu in body should be less than or equal to 10000000`},
	{"spec.nomad.reserved: {memory: '0'}", `memory: "0" must be more than 0; use a quantity such as 512Mi`},
	{"spec.nomad.reserved: {disk: -1Gi}", `disk: "-1Gi" must be more than 0; use a quantity such as 2Gi`},
	{"spec.nomad.reserved: {memory: much}", `spec.nomad.reserved.memory`},
	{"spec.nomad.token: abc", `unknown field "spec.nomad.token"`},
}

var badInstall = []bad{
	{"spec.nomad.install: {}", `install: set apt or download, one of them; leave install out if the image has Nomad`},
	{with(download, "https://files.lan.example/", strings.Repeat("0a", 32)), `url: "https://files.lan.example/" is not the address of a file; use https://HOST/PATH/nomad_VERSION_linux_amd64.zip`},
	{with(download, "ftp://files.lan.example/nomad", strings.Repeat("0a", 32)), `is not the address of a file`},
	{with(download, "https://files.lan.example/nomad", "5d2f"), `sha256: "5d2f" is not a SHA-256 checksum; use the 64 hexadecimal digits that sha256sum prints`},
	{"spec.nomad.install: {download: {url: 'https://files.lan.example/nomad'}}", `spec.nomad.install.download.sha256: Required value`},
	{"spec.nomad.install: {apt: {}}", `spec.nomad.install.apt.source: Required value`},
	{"spec.nomad.install: {apt: {source: 'https://apt.lan.example stable main'}}", `is not a line of a sources.list with an http or https address; use "deb https://HOST/PATH $RELEASE main"`},
	{"spec.nomad.install: {apt: {source: 'deb https://apt.lan.example x', key: '0xA621E701'}}", `key: it is not an ASCII-armored public key; paste all of it`},
	{"spec.nomad.install: {apt: {source: 'deb https://apt.lan.example x', version: latest}}", `version: "latest" is not a version of a Debian package; use one such as 1.11.3-1 or 1.11.*`},
}

func with(line, url, sum string) string {
	return strings.NewReplacer("URL", url, "SUM", sum).Replace(line)
}
