# A policy for the NomadNodePool nomad-clients/workers of config/samples/typical.yaml. Put it into the policy dir of the agent.

scaling "workers" {
  enabled = true
  min     = 1
  max     = 10

  policy {
    evaluation_interval  = "30s"
    cooldown             = "5m"
    cooldown_on_scale_up = "1m"

    check "cpu" {
      source = "nomad-apm"
      query  = "percentage-allocated_cpu"

      strategy "target-value" {
        target = "70"
      }
    }

    check "memory" {
      source = "nomad-apm"
      query  = "percentage-allocated_memory"

      strategy "target-value" {
        target = "70"
      }
    }

    target "harvester" {
      # The NomadNodePool.
      node_pool_name = "workers"
      namespace      = "nomad-clients"

      # What nomad-apm measures. Members have the pool's name as their node class unless spec.nomad.nodeClass says
      # otherwise.
      node_class = "workers"

      # Only log what would be done.
      # dry-run = "true"
    }
  }
}
