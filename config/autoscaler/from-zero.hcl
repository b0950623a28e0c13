# A policy for the NomadNodePool nomad-clients/build-farm of config/samples/build-farm.yaml, which may be empty. It needs
# Prometheus, which reads Nomad's servers, and the agent's apm "prometheus". Put it into the policy dir of the agent.
# docs/autoscaler.md explains the query; test/e2e/fromzero_test.go runs it.

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

      # The allocations that wait, start and run, of the jobs whose names begin with "batch-"; four of them fit into a member.
      # After "or": 0 if Nomad has no such job, and nothing at all if Nomad can't be read. Then the pool is left as it is.
      query = <<-EOQ
        ceil((
          sum(max by (namespace, exported_namespace, exported_job, task_group) (
            sum by (instance, namespace, exported_namespace, exported_job, task_group) (
              {__name__=~"nomad_nomad_job_summary_(queued|starting|running)", exported_job=~"batch-.*"}
            )
          ))
          or 0 * max(nomad_nomad_job_status_running)
        ) / 4)
      EOQ

      strategy "pass-through" {}
    }

    target "harvester" {
      node_pool_name = "build-farm"
      namespace      = "nomad-clients"
      node_class     = "build"
    }
  }
}
