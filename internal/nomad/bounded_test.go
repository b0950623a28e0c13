package nomad

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// answering serves the same to every request.
func answering(t *testing.T, serve http.HandlerFunc) Cluster {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return NewClusters(Options{RequestTimeout: 2 * time.Second}).Get(Connection{Address: server.URL})
}

func saying(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// zipped is zeros that take a thousandth of that on the wire.
func zipped(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	chunk := bytes.Repeat([]byte("0"), 1<<20)
	for range size >> 20 {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAnswersThatGrowWhenUnzippedAreCutOff(t *testing.T) {
	bomb := zipped(t, 256<<20)
	for _, code := range []int{http.StatusOK, http.StatusForbidden, http.StatusFound} {
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(code)
			_, _ = w.Write(bomb)
		}).(*cluster)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := c.remote.listNodes(t.Context(), 0, 0)
		runtime.ReadMemStats(&after)
		// The decoder doubles its buffer as it reads.
		if grew := after.TotalAlloc - before.TotalAlloc; err == nil || len(err.Error()) > 1000 || grew > 4*maxAnswer {
			t.Errorf("%d: took %d MiB, %.200v", code, grew>>20, err)
		}
	}
}

func TestAnswersOfManyObjectsAreCutOff(t *testing.T) {
	c := answering(t, saying("["+strings.Repeat("{},", maxObjects)+"{}]")).(*cluster)
	if _, _, err := c.remote.listNodes(t.Context(), 0, 0); !errors.Is(err, ErrUnreachable) || Cause(err) != errTooLarge.Error() {
		t.Errorf("got %v", err)
	}
}

func TestEndlessRefusalEnds(t *testing.T) {
	for name, pause := range map[string]time.Duration{"fast": 0, "slow": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				for r.Context().Err() == nil {
					if _, err := io.WriteString(w, "no "); err != nil {
						return
					}
					if pause > 0 {
						w.(http.Flusher).Flush()
						time.Sleep(pause)
					}
				}
			}).(*cluster)
			began := time.Now()
			if _, _, err := c.remote.listNodes(t.Context(), 0, 0); err == nil || len(err.Error()) > 1000 || time.Since(began) > 10*time.Second {
				t.Errorf("%.200v after %s", err, time.Since(began))
			}
		})
	}
}

// The server may be anything that can be reached from the controller, and what it says is read by whoever may read the pool.
func TestOnlyPlainShortRefusalsAreQuoted(t *testing.T) {
	const secret = "word of somebody else's"
	for name, c := range map[string]struct {
		kind, body, cause string
	}{
		"Nomad's":        {"text/plain; charset=utf-8", "Permission denied\n", "403 Permission denied"},
		"nothing":        {"text/plain", "", "403 Forbidden"},
		"a page":         {"text/html", secret, "403 Forbidden (the body, of type text/html, isn't shown)"},
		"JSON":           {"application/json", `{"a":"` + secret + `"}`, "403 Forbidden (the body, of type application/json, isn't shown)"},
		"long":           {"text/plain", secret + strings.Repeat(".", maxQuote), "403 Forbidden (the body, of type text/plain, isn't shown)"},
		"several lines":  {"text/plain", secret + "\nand more", "403 Forbidden (the body, of type text/plain, isn't shown)"},
		"no text":        {"text/plain", secret + "\xff", "403 Forbidden (the body, of type text/plain, isn't shown)"},
		"a strange type": {secret + " / " + strings.Repeat("x", 100), secret, "403 Forbidden (the body, of type unknown, isn't shown)"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, c.body)
			})
			err := cluster.Cordon(t.Context(), nodeA)
			if !errors.Is(err, ErrForbidden) || Cause(err) != c.cause || strings.Contains(err.Error(), secret) {
				t.Errorf("%v, because %q", err, Cause(err))
			}
		})
	}
}

func TestRedirectsTellNothing(t *testing.T) {
	for _, to := range []string{"http://secret.example/", "http://secret example:x:y/", ""} {
		c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to)
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusFound)
			_, _ = io.WriteString(w, `<a href="http://secret.example/">`)
		})
		err := c.Cordon(t.Context(), nodeA)
		if err == nil || strings.Contains(err.Error(), "secret") || Cause(err) != "302 Found (the body, of type text/html, isn't shown)" {
			t.Errorf("%v, because %q", err, Cause(err))
		}
	}
}

// What isn't HTTP may be the banner of any server.
func TestBannersAreNotQuoted(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = fmt.Fprintf(conn, "SSH-2.0-secret\r\n")
		_ = conn.Close()
	})
	if err := c.Cordon(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) || strings.Contains(Cause(err), "secret") {
		t.Errorf("got %v, because %q", err, Cause(err))
	}
}
