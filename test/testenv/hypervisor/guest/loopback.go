package guest

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// mhzPerCPU is what a virtual CPU counts for in cpu_total_compute.
const mhzPerCPU = 1000

// deniedFingerprints look at the machine that all guests share, or for metadata services with timeouts of
// seconds each.
const deniedFingerprints = "env_aws,env_gce,env_azure,env_digitalocean,consul," +
	"vault,bridge,cni,plugins_cni,dynamic_host_volumes,network_bridge"

// The loopback adaptation: everything in which a guest's client differs from one in a virtual machine. It is
// a configuration file that Nomad merges last. What isn't named here is as it was rendered.
//
//   - All guests share 127.0.0.1: listeners and advertised addresses, ports of their own, network_interface.
//   - All guests share one file system: every path that the agent uses is moved below the guest's root.
//   - All guests share one kernel: size from the machine, a cgroup of its own, fewer fingerprints, and only
//     the drivers that work without a container runtime (raw_exec, mock_driver), with raw_exec switched on.
//   - There is no Consul.
//   - There is no DNS: names of servers that Names knows are replaced, and all others are left as they are.
func loopbackAdaptation(m Machine, c *agentConfig, names Names) (map[string]any, error) {
	ports := map[string]int{}
	for _, name := range []string{"http", "rpc", "serf"} {
		port, err := process.FreePort()
		if err != nil {
			return nil, err
		}
		ports[name] = port
	}
	loopback := map[string]string{"http": "127.0.0.1", "rpc": "127.0.0.1", "serf": "127.0.0.1"}
	inside := func(path string) string { return cloudinit.Inside(m.root(), path) }
	client := map[string]any{
		"network_interface": "lo",
		"no_host_uuid":      true,
		"cpu_total_compute": m.CPUs * mhzPerCPU,
		"memory_total_mb":   m.MemoryMiB,
		"cgroup_parent":     m.cgroup(),
		"options": map[string]string{
			"fingerprint.denylist": joinLists(c.Client.Options["fingerprint.denylist"], deniedFingerprints),
			"driver.allowlist":     "raw_exec,mock_driver",
		},
	}
	if servers := c.Client.serverAddresses(); names.knowsAny(servers) {
		client["server_join"] = map[string]any{"retry_join": names.resolve(servers), "retry_interval": "15s"}
	}
	file := map[string]any{
		"bind_addr":                   "127.0.0.1",
		"addresses":                   loopback,
		"advertise":                   loopback,
		"ports":                       ports,
		"disable_update_check":        true,
		"disable_anonymous_signature": true,
		"client":                      client,
		"plugin":                      map[string]any{"raw_exec": map[string]any{"config": map[string]any{"enabled": true}}},
		"consul": map[string]any{"server_auto_join": false, "client_auto_join": false,
			"auto_advertise": false},
	}
	moved(file, inside, map[string]string{"data_dir": c.DataDir, "plugin_dir": c.PluginDir, "log_file": c.LogFile})
	moved(
		client,
		inside,
		map[string]string{"state_dir": c.Client.StateDir, "alloc_dir": c.Client.AllocDir,
			"alloc_mounts_dir": c.Client.AllocMountsDir},
	)
	tls := map[string]any{}
	moved(tls, inside, map[string]string{"ca_file": c.TLS.CAFile, "cert_file": c.TLS.CertFile, "key_file": c.TLS.KeyFile})
	if len(tls) > 0 {
		file["tls"] = tls
	}
	return file, nil
}

// moved sets the paths that the rendered configuration sets, as they are on this machine.
func moved(block map[string]any, inside func(string) string, paths map[string]string) {
	for key, path := range paths {
		if path != "" {
			block[key] = inside(path)
		}
	}
}

// cgroup is the cgroup_parent of the guest.
func (m Machine) cgroup() string { return "nomad-harvester-guest-" + m.Namespace + "-" + m.Name }

func joinLists(lists ...string) string {
	var parts []string
	for _, list := range lists {
		if list != "" {
			parts = append(parts, list)
		}
	}
	return strings.Join(parts, ",")
}

func writeJSON(file string, content any) error {
	b, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
