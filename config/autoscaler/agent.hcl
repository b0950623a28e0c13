# Configuration of the Nomad Autoscaler agent (0.5.0) with the nomad-harvester target plugin.
#
# The binary nomad-harvester, copied or linked to <plugin_dir>/harvester, is the plugin.

plugin_dir = "/plugins"

nomad {
  address = "http://nomad.example.com:4646"
}

policy {
  dir = "/policies"

  # Policies in the scaling blocks of jobs: whoever may submit a job could scale any target of this agent. The plugin refuses
  # them by itself, unless its job_policies says otherwise. Needed only if this agent scales jobs as well.
  source "nomad" {
    enabled = false
  }
}

http {
  bind_address = "0.0.0.0"
}

telemetry {
  prometheus_metrics = true
  disable_hostname   = true
}

# For config/autoscaler/from-zero.hcl; Prometheus itself is configured as in config/autoscaler/prometheus.yml.
# apm "prometheus" {
#   driver = "prometheus"
#   config = {
#     address = "http://prometheus.example.com:9090"
#   }
# }

apm "nomad-apm" {
  driver = "nomad-apm"

  config = {
    # Otherwise one member that drains or joins stops the evaluation of the whole pool. The plugin itself holds the
    # policy back while members join.
    node_filter_ignore_drain = "true"
    node_filter_ignore_init  = "true"
  }
}

target "harvester" {
  driver = "harvester"

  # Without any of these the plugin uses the service account of the pod that the agent runs in.
  config = {
    harvester_url = "https://harvester.example.com"
    ca_cert       = "/secrets/harvester-ca.pem"
    # auth_token comes from the environment: HARVESTER_TOKEN. With a token of the service account the URL is that of Kubernetes' own
    # API server, port 6443 (docs/autoscaler.md, Tokens). For a token that expires and is renewed instead:
    # auth_token_file = "/secrets/harvester-token"

    # or:
    # kubeconfig = "/secrets/kubeconfig"
    # context    = "harvester"
  }
}
