package harvestertemplate_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

func TestMain(m *testing.M) { cloudinittest.Main(m) }
