package controllers_test

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/controllers"
)

func TestProfilesAreServedToThisHostAlone(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:6060": "", "127.0.0.1:0": "", "[::1]:6060": "",
		":6060":               "give a loopback address, such as localhost:6060",
		"0.0.0.0:6060":        "give a loopback address, such as localhost:6060",
		"10.52.0.7:6060":      "give a loopback address, such as localhost:6060",
		"profiles.local:6060": "give a loopback address, such as localhost:6060",
		"6060":                "give host and port, such as localhost:6060",
	} {
		c, err := controllers.ParseFlags([]string{"--pprof-bind-address=" + address})
		switch {
		case want == "" && (err != nil || c.PprofAddress != address):
			t.Errorf("%s: %q, %v", address, c.PprofAddress, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, none := range [][]string{nil, {"--pprof-bind-address="}, {"--pprof-bind-address=0"}} {
		if c, err := controllers.ParseFlags(none); err != nil || c.PprofAddress != "" {
			t.Errorf("%v: profiles are served on %q, %v", none, c.PprofAddress, err)
		}
	}
}
