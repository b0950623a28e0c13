package nomadtarget

import (
	"bytes"
	"encoding/json"
	stdlog "log"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"k8s.io/klog/v2"
)

// What Go's own packages write to the standard logger is a short line of the agent's log, too.
func TestStandardLoggerIsBridged(t *testing.T) {
	flags, writer := stdlog.Flags(), stdlog.Writer()
	t.Cleanup(func() {
		stdlog.SetFlags(flags)
		stdlog.SetOutput(writer)
		klog.ClearLogger()
	})
	var out bytes.Buffer
	bridgeLogs(hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: true, Name: "plugin"}))
	stdlog.Print("Unsolicited response: " + strings.Repeat("shöut\n", 1000))
	var line struct {
		Module string `json:"@module"`
		Text   string `json:"text"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	if line.Module != "plugin.go" || !strings.HasPrefix(line.Text, "Unsolicited response: shöut") || len(line.Text) > maxStdLine {
		t.Errorf("%d bytes: %+v", len(line.Text), line)
	}
}
