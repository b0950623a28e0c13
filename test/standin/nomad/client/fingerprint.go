package client

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// mhzPerCore is what a core counts for where nobody says otherwise.
const mhzPerCore = 2000

// fingerprint is the node as it registers.
func (c *Client) fingerprint() (*state.Node, error) {
	o := c.config.Client
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	name := c.config.Name
	if name == "" {
		name = host
	}
	total := o.MemoryTotalMB
	if total == 0 {
		if total, err = memoryMB(); err != nil {
			return nil, err
		}
	}
	cpu := o.CPUTotalCompute
	if cpu == 0 {
		cpu = runtime.NumCPU() * mhzPerCore
	}
	address := c.address()
	n := &state.Node{SecretID: c.identity.secret}
	n.ID, n.Name, n.Datacenter, n.NodePool, n.NodeClass = c.identity.id, name, c.config.Datacenter, o.NodePool, o.NodeClass
	n.HTTPAddr, n.TLSEnabled, n.Status = c.config.Advertise.HTTP, c.config.TLS.HTTP, state.NodeInit
	n.Meta = maps.Clone(o.Meta)
	if o.DefaultIneligible {
		n.SchedulingEligibility = state.Ineligible
	}
	n.NodeResources = &api.NodeResources{
		Cpu:      api.NodeCpuResources{CpuShares: int64(cpu), TotalCpuCores: uint16(runtime.NumCPU())},
		Memory:   api.NodeMemoryResources{MemoryMB: int64(total)},
		Disk:     api.NodeDiskResources{DiskMB: c.diskMB()},
		Networks: []*api.NetworkResource{{Mode: "host", Device: o.NetworkInterface, IP: address, CIDR: address + "/32"}},
	}
	n.NodeResources.MinDynamicPort, n.NodeResources.MaxDynamicPort = o.MinDynamicPort, o.MaxDynamicPort
	n.ReservedResources = &api.NodeReservedResources{
		Cpu: api.NodeReservedCpuResources{
			CpuShares: uint64(o.Reserved.CPU)}, Memory: api.NodeReservedMemoryResources{MemoryMB: uint64(o.Reserved.MemoryMB)},
		Disk: api.NodeReservedDiskResources{DiskMB: uint64(o.Reserved.DiskMB)},
	}
	n.Attributes = map[string]string{
		"kernel.name": "linux", "arch": runtime.GOARCH, "cpu.arch": runtime.GOARCH,
		"cpu.numcores": strconv.Itoa(runtime.NumCPU()),
		"cpu.totalcompute": strconv.Itoa(
			cpu), "memory.totalbytes": strconv.Itoa(total << 20), "nomad.version": server.Version,
		"unique.hostname": host, "unique.network.ip-address": address, "os.name": osName(),
		"os.signals":              "SIGHUP,SIGINT,SIGKILL,SIGTERM",
		"nomad.advertise.address": c.config.Advertise.HTTP,
	}
	n.Drivers = map[string]*api.DriverInfo{}
	for name := range c.drivers {
		n.Attributes["driver."+name] = "1"
		n.Drivers[name] = &api.DriverInfo{Attributes: map[string]string{"driver." + name: "true"}, Detected: true,
			Healthy: true, HealthDescription: "Healthy"}
	}
	return n, nil
}

// address is by which others reach the node.
func (c *Client) address() string {
	if i, err := net.InterfaceByName(c.config.Client.NetworkInterface); err == nil {
		if addresses, err := i.Addrs(); err == nil {
			for _, a := range addresses {
				if n, ok := a.(*net.IPNet); ok {
					return n.IP.String()
				}
			}
		}
	}
	host, _, err := net.SplitHostPort(c.config.Advertise.HTTP)
	if err != nil {
		return "127.0.0.1"
	}
	return host
}

func (c *Client) diskMB() int64 {
	if c.config.Client.DiskTotalMB > 0 {
		return int64(c.config.Client.DiskTotalMB)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(c.allocDir, &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * s.Bsize >> 20
}

func memoryMB() (int, error) {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "MemTotal:" {
			kb, err := strconv.Atoi(fields[1])
			return kb >> 10, err
		}
	}
	return 0, fmt.Errorf("no MemTotal in %s", file.Name())
}

func osName() string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "linux"
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "ID="); ok {
			return strings.Trim(id, `"`)
		}
	}
	return "linux"
}
