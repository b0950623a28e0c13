package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// anyAddress lets pools name any Nomad.
var anyAddress = nomadlink.Config{Addresses: []string{"*"}}
