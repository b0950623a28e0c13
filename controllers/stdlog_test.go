package controllers

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

// redirected has the standard logger write to a log of the controller's.
func redirected(t *testing.T) *lines {
	t.Helper()
	config, err := ParseFlags(nil)
	if err != nil {
		t.Fatal(err)
	}
	out := &lines{}
	config.Log.DestWriter = out
	t.Cleanup(redirectStdLog(newLogger(config.Log)))
	return out
}

// What a server sends without having been asked is quoted by net/http in the standard logger. It is one short line of
// the log.
func TestUnaskedAnswerIsAShortLineOfTheLog(t *testing.T) {
	out := redirected(t)
	answered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		<-answered
		_, _ = io.WriteString(conn, strings.Repeat("shout\n", 1000))
		_ = conn.Close()
	}))
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	close(answered)
	for deadline := time.Now().Add(10 * time.Second); out.all()[0] == "" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	var line struct{ Level, Msg, Text, Logger string }
	if err := json.Unmarshal([]byte(out.all()[0]), &line); err != nil || len(out.all()) != 1 {
		t.Fatalf("%q: %v", out.all(), err)
	}
	if !strings.Contains(line.Text, "shout") || len(line.Text) > maxStdLine || line.Level != "info" || line.Logger != "go" {
		t.Errorf("%d bytes: %+v", len(line.Text), line)
	}
}

// A server that does so again and again doesn't fill the log, and what was left out is counted.
func TestStandardLoggerDoesNotFillTheLog(t *testing.T) {
	out := redirected(t)
	for range 1000 {
		log.Print("again")
	}
	if got := len(out.all()); got != stdLineBurst {
		t.Errorf("%d lines", got)
	}
	to := log.Writer().(*stdLines)
	to.limit.SetBurst(2 * stdLineBurst)
	to.limit.SetLimit(1e9)
	time.Sleep(time.Millisecond)
	log.Print("once more")
	if all := out.all(); !strings.Contains(all[len(all)-1], `"unlogged":990`) {
		t.Errorf("the last line is %s", all[len(all)-1])
	}
}
