package controllers

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-logr/zapr"
)

func TestLogLeavesNothingOut(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"as it is":  {nil, 1000},
		"debug":     {[]string{"--zap-log-level=debug"}, 2000},
		"errors":    {[]string{"--zap-log-level=error"}, 0},
		"very much": {[]string{"--zap-log-level=3"}, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := ParseFlags(c.args)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			config.Log.DestWriter = &out
			log := zapr.NewLogger(newLogger(config.Log))
			for range 1000 {
				log.Info("phase", "to", "Ready")
				log.V(1).Info("out of date, looking again")
			}
			lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
			if c.want == 0 {
				lines = lines[1:] // of nothing there is one
			}
			if len(lines) != c.want {
				t.Fatalf("%d lines", len(lines))
			}
			for _, line := range lines[:min(1, len(lines))] {
				var l struct{ Level, TS, Caller, Msg, To string }
				if err := json.Unmarshal(line, &l); err != nil || l.Level != "info" || l.Msg != "phase" || l.To != "Ready" ||
					l.Caller == "" {
					t.Errorf("%s: %+v, %v", line, l, err)
				}
				if _, err := time.Parse(time.RFC3339, l.TS); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
