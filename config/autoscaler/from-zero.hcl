# A policy for the NomadNodePool nomad-clients/build-farm of config/samples/build-farm.yaml, which may be empty. It needs
# Prometheus, which reads Nomad's servers, and the agent's apm "prometheus". Put it into the policy dir of the agent.

scaling "build-farm" {
  enabled = true
  min     = 0
  max     = 20

  policy {
    evaluation_interval  = "30s"
    cooldown             = "5m"
    cooldown_on_scale_up = "1m"

    check "demand" {
      source       = "prometheus"
      query_window = "1m"

      # The allocations that wait, start and run, of the jobs that run in this pool only; four of them fit into a member.
      query = "ceil((sum(nomad_nomad_job_summary_queued{exported_job=~\"batch-.*\"} + nomad_nomad_job_summary_starting{exported_job=~\"batch-.*\"} + nomad_nomad_job_summary_running{exported_job=~\"batch-.*\"}) or vector(0)) / 4)"

      strategy "pass-through" {}
    }

    target "harvester" {
      node_pool_name = "build-farm"
      namespace      = "nomad-clients"
      node_class     = "build"
    }
  }
}
