package controllers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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

// client-go writes the bodies of requests and answers with the logger of the reconcile, if that is verbose enough.
func TestNoVerbosityWritesSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	config, err := ParseFlags([]string{"--zap-log-level=10"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	config.Log.DestWriter = &out
	log := zapr.NewLogger(newLogger(config.Log))
	api, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{
		ContentType: "application/json"}})
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: "s"}, StringData: map[string]string{"token": "canary-of-a-token"}}
	log.V(5).Info("this much is written")
	if _, err := api.CoreV1().Secrets("x").Create(logr.NewContext(t.Context(), log), secret,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Contains(got, "canary") || !strings.Contains(got, "this much") {
		t.Errorf("the log holds:\n%s", got)
	}
}
