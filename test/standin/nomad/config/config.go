package config

import (
	"time"
)

// Agent is the configuration of an agent.
type Agent struct {
	Name       string `hcl:"name"`
	Region     string `hcl:"region"`
	Datacenter string `hcl:"datacenter"`
	DataDir    string `hcl:"data_dir"`
	PluginDir  string `hcl:"plugin_dir"`
	BindAddr   string `hcl:"bind_addr"`
	LogLevel   string `hcl:"log_level"`
	LogFile    string `hcl:"log_file"`
	LogJSON    bool   `hcl:"log_json"`

	EnableDebug               bool `hcl:"enable_debug"`
	LeaveOnInterrupt          bool `hcl:"leave_on_interrupt"`
	LeaveOnTerminate          bool `hcl:"leave_on_terminate"`
	DisableUpdateCheck        bool `hcl:"disable_update_check"`
	DisableAnonymousSignature bool `hcl:"disable_anonymous_signature"`
	EnableSyslog              bool `hcl:"enable_syslog"`

	Ports     Ports     `hcl:"ports"`
	Addresses Addresses `hcl:"addresses"`
	Advertise Addresses `hcl:"advertise"`
	Server    Server    `hcl:"server"`
	Client    Client    `hcl:"client"`
	ACL       ACL       `hcl:"acl"`
	TLS       TLS       `hcl:"tls"`

	// Plugin is the configuration of drivers by their names.
	Plugin map[string]any `hcl:"plugin"`

	// What is read and has no effect here.
	Limits      map[string]any `hcl:"limits"`
	Telemetry   map[string]any `hcl:"telemetry"`
	Consul      any            `hcl:"consul"`
	Vault       any            `hcl:"vault"`
	UI          map[string]any `hcl:"ui"`
	Autopilot   map[string]any `hcl:"autopilot"`
	Audit       map[string]any `hcl:"audit"`
	Keyring     any            `hcl:"keyring"`
	Reporting   map[string]any `hcl:"reporting"`
	HTTPHeaders map[string]any `hcl:"http_api_response_headers"`

	// Files are those that were read.
	Files []string `hcl:"-"`
}

// Ports are what an agent listens on.
type Ports struct {
	HTTP int `hcl:"http"`
	RPC  int `hcl:"rpc"`
	Serf int `hcl:"serf"`
}

// Addresses are hosts, with a port or without.
type Addresses struct {
	HTTP string `hcl:"http"`
	RPC  string `hcl:"rpc"`
	Serf string `hcl:"serf"`
}

// Server is the block server.
type Server struct {
	Enabled                bool           `hcl:"enabled"`
	BootstrapExpect        int            `hcl:"bootstrap_expect"`
	DataDir                string         `hcl:"data_dir"`
	RaftMultiplier         int            `hcl:"raft_multiplier"`
	RaftProtocol           int            `hcl:"raft_protocol"`
	NumSchedulers          int            `hcl:"num_schedulers"`
	EnabledSchedulers      []string       `hcl:"enabled_schedulers"`
	HeartbeatGrace         time.Duration  `hcl:"heartbeat_grace"`
	MinHeartbeatTTL        time.Duration  `hcl:"min_heartbeat_ttl"`
	FailoverHeartbeatTTL   time.Duration  `hcl:"failover_heartbeat_ttl"`
	MaxHeartbeatsPerSecond float64        `hcl:"max_heartbeats_per_second"`
	NodeGCThreshold        time.Duration  `hcl:"node_gc_threshold"`
	JobGCThreshold         time.Duration  `hcl:"job_gc_threshold"`
	JobGCInterval          time.Duration  `hcl:"job_gc_interval"`
	EvalGCThreshold        time.Duration  `hcl:"eval_gc_threshold"`
	DeploymentGCThreshold  time.Duration  `hcl:"deployment_gc_threshold"`
	EventBufferSize        int            `hcl:"event_buffer_size"`
	EnableEventBroker      bool           `hcl:"enable_event_broker"`
	Encrypt                string         `hcl:"encrypt"`
	AuthoritativeRegion    string         `hcl:"authoritative_region"`
	RetryJoin              []string       `hcl:"retry_join"`
	StartJoin              []string       `hcl:"start_join"`
	ServerJoin             ServerJoin     `hcl:"server_join"`
	ClientIntroduction     Introduction   `hcl:"client_introduction"`
	DefaultScheduler       map[string]any `hcl:"default_scheduler_config"`
	RejoinAfterLeave       bool           `hcl:"rejoin_after_leave"`
	NonVotingServer        bool           `hcl:"non_voting_server"`
}

// ServerJoin says which servers to join.
type ServerJoin struct {
	RetryJoin     []string      `hcl:"retry_join"`
	StartJoin     []string      `hcl:"start_join"`
	RetryMax      int           `hcl:"retry_max"`
	RetryInterval time.Duration `hcl:"retry_interval"`
}

// Introduction is the block client_introduction.
type Introduction struct {
	Enforcement string        `hcl:"enforcement"`
	DefaultTTL  time.Duration `hcl:"default_identity_ttl"`
	MaxTTL      time.Duration `hcl:"max_identity_ttl"`
}

// Client is the block client.
type Client struct {
	Enabled           bool              `hcl:"enabled"`
	StateDir          string            `hcl:"state_dir"`
	AllocDir          string            `hcl:"alloc_dir"`
	AllocMountsDir    string            `hcl:"alloc_mounts_dir"`
	HostVolumesDir    string            `hcl:"host_volumes_dir"`
	NodePool          string            `hcl:"node_pool"`
	NodeClass         string            `hcl:"node_class"`
	Servers           []string          `hcl:"servers"`
	ServerJoin        ServerJoin        `hcl:"server_join"`
	Meta              map[string]string `hcl:"meta"`
	Options           map[string]string `hcl:"options"`
	NetworkInterface  string            `hcl:"network_interface"`
	NetworkSpeed      int               `hcl:"network_speed"`
	NoHostUUID        *bool             `hcl:"no_host_uuid"`
	CPUTotalCompute   int               `hcl:"cpu_total_compute"`
	MemoryTotalMB     int               `hcl:"memory_total_mb"`
	DiskTotalMB       int               `hcl:"disk_total_mb"`
	DiskFreeMB        int               `hcl:"disk_free_mb"`
	CgroupParent      string            `hcl:"cgroup_parent"`
	MaxKillTimeout    time.Duration     `hcl:"max_kill_timeout"`
	MinDynamicPort    int               `hcl:"min_dynamic_port"`
	MaxDynamicPort    int               `hcl:"max_dynamic_port"`
	Reserved          Reserved          `hcl:"reserved"`
	DrainOnShutdown   map[string]any    `hcl:"drain_on_shutdown"`
	GCInterval        time.Duration     `hcl:"gc_interval"`
	GCMaxAllocs       int               `hcl:"gc_max_allocs"`
	GCParallel        int               `hcl:"gc_parallel_destroys"`
	GCDiskUsage       float64           `hcl:"gc_disk_usage_threshold"`
	GCInodeUsage      float64           `hcl:"gc_inode_usage_threshold"`
	GCVolumesOnNodeGC bool              `hcl:"gc_volumes_on_node_gc"`
	DefaultIneligible bool              `hcl:"default_ineligible"`
	NodeMaxAllocs     int               `hcl:"node_max_allocs"`
	HostVolume        any               `hcl:"host_volume"`
	HostNetwork       any               `hcl:"host_network"`
	ChrootEnv         map[string]string `hcl:"chroot_env"`
	Artifact          map[string]any    `hcl:"artifact"`
	Template          map[string]any    `hcl:"template"`
	CNIPath           string            `hcl:"cni_path"`
	CNIConfigDir      string            `hcl:"cni_config_dir"`
	BridgeNetworkName string            `hcl:"bridge_network_name"`
	Fingerprint       any               `hcl:"fingerprint"`
	Users             map[string]any    `hcl:"users"`
}

// Reserved is what is kept from allocations.
type Reserved struct {
	CPU           int    `hcl:"cpu"`
	MemoryMB      int    `hcl:"memory"`
	DiskMB        int    `hcl:"disk"`
	Cores         string `hcl:"cores"`
	ReservedPorts string `hcl:"reserved_ports"`
}

// ACL is the block acl.
type ACL struct {
	Enabled          bool          `hcl:"enabled"`
	TokenTTL         time.Duration `hcl:"token_ttl"`
	PolicyTTL        time.Duration `hcl:"policy_ttl"`
	RoleTTL          time.Duration `hcl:"role_ttl"`
	ReplicationToken string        `hcl:"replication_token"`
	TokenMinTTL      time.Duration `hcl:"token_min_expiration_ttl"`
	TokenMaxTTL      time.Duration `hcl:"token_max_expiration_ttl"`
}

// TLS is the block tls.
type TLS struct {
	HTTP                 bool   `hcl:"http"`
	RPC                  bool   `hcl:"rpc"`
	VerifyServerHostname bool   `hcl:"verify_server_hostname"`
	VerifyHTTPSClient    bool   `hcl:"verify_https_client"`
	RPCUpgradeMode       bool   `hcl:"rpc_upgrade_mode"`
	CAFile               string `hcl:"ca_file"`
	CertFile             string `hcl:"cert_file"`
	KeyFile              string `hcl:"key_file"`
	TLSCipherSuites      string `hcl:"tls_cipher_suites"`
	TLSMinVersion        string `hcl:"tls_min_version"`
	TLSPreferServer      bool   `hcl:"tls_prefer_server_cipher_suites"`
}

func defaults() Agent {
	return Agent{
		Region: "global", Datacenter: "dc1", BindAddr: "0.0.0.0", LogLevel: "INFO",
		Ports:  Ports{HTTP: 4646, RPC: 4647, Serf: 4648},
		Client: Client{NodePool: "default", MaxKillTimeout: 30 * time.Second, MinDynamicPort: 20000, MaxDynamicPort: 32000},
	}
}
