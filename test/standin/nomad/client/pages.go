package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// pages is what the client answers by HTTP about what is on this node, to whoever may ask it.
func (c *Client) pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/client/fs/ls/{id}", c.onFile(list))
	mux.HandleFunc("GET /v1/client/fs/stat/{id}", c.onFile(stat))
	mux.HandleFunc("GET /v1/client/fs/cat/{id}", asFile(c.onFile(cat)))
	mux.HandleFunc("GET /v1/client/fs/readat/{id}", asFile(c.onFile(cat)))
	mux.HandleFunc("GET /v1/client/fs/logs/{id}", c.logs)
	mux.HandleFunc("/v1/client/allocation/{id}/exec", c.exec)
	mux.HandleFunc("GET /v1/client/allocation/{id}/snapshot", c.snapshot)
	mux.HandleFunc("GET /v1/client/allocation/{id}/stats",
		func(w http.ResponseWriter, _ *http.Request) { sendJSON(w, map[string]any{}) })
	mux.HandleFunc("GET /v1/client/stats", sendStats)
	mux.HandleFunc("GET /v1/client/metadata", func(w http.ResponseWriter, _ *http.Request) { c.sendMeta(w) })
	mux.HandleFunc("PUT /v1/client/metadata", c.applyMeta)
	mux.HandleFunc("POST /v1/client/metadata", c.applyMeta)
	return mux
}

// sendStats tells of this node's memory, which is what is looked at; the rest of what Nomad tells is left out.
func sendStats(w http.ResponseWriter, _ *http.Request) {
	total, err := memoryMB()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sendJSON(w,
		map[string]any{"Timestamp": time.Now().UnixNano(), "Memory": api.HostMemoryStats{Total: uint64(total) << 20}})
}

func sendJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // an error means that nobody reads any more
}

// allocOf finds the allocation of a request, nil if it isn't here.
func (c *Client) allocOf(w http.ResponseWriter, r *http.Request) *alloc {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.allocs[r.PathValue("id")]
	if a == nil {
		http.Error(w, fmt.Sprintf("Unknown allocation %q", r.PathValue("id")), http.StatusNotFound)
	}
	return a
}

// onFile answers about a file of an allocation. Secrets are kept from everybody, and so is what is outside.
func (c *Client) onFile(do func(w http.ResponseWriter, r *http.Request, path string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := c.allocOf(w, r)
		if a == nil {
			return
		}
		path := filepath.Join(a.dir, filepath.Clean("/"+r.URL.Query().Get("path")))
		if strings.HasSuffix(path, "/secrets") || strings.Contains(path, "/secrets/") {
			http.Error(w, "Reading secret file prohibited", http.StatusForbidden)
			return
		}
		err := do(w, r, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

// ReadsFile reports if the path is of a file that is read at once. Nomad has begun its answer when it looks: whatever
// is wrong comes with 200, as if it were the file (seen of 1.11.3).
func ReadsFile(path string) bool {
	return strings.HasPrefix(path, "/v1/client/fs/cat/") || strings.HasPrefix(path, "/v1/client/fs/readat/")
}

func asFile(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { do(begun{w}, r) }
}

// begun is an answer whose status was sent.
type begun struct{ http.ResponseWriter }

func (b begun) WriteHeader(int) { b.ResponseWriter.WriteHeader(http.StatusOK) }

func info(i fs.FileInfo) api.AllocFileInfo {
	return api.AllocFileInfo{Name: i.Name(), IsDir: i.IsDir(), Size: i.Size(), FileMode: i.Mode().String(),
		ModTime: i.ModTime()}
}

func list(w http.ResponseWriter, _ *http.Request, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	files := []api.AllocFileInfo{}
	for _, entry := range entries {
		if i, err := entry.Info(); err == nil { // it may go meanwhile
			files = append(files, info(i))
		}
	}
	sendJSON(w, files)
	return nil
}

func stat(w http.ResponseWriter, _ *http.Request, path string) error {
	i, err := os.Stat(path)
	if err != nil {
		return err
	}
	sendJSON(w, info(i))
	return nil
}

func cat(w http.ResponseWriter, r *http.Request, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var from io.Reader = file
	if offset, err := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64); err == nil {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			return err
		}
	}
	if limit, err := strconv.ParseInt(r.URL.Query().Get("limit"), 10, 64); err == nil && limit > 0 {
		from = io.LimitReader(file, limit)
	}
	_, err = io.Copy(w, from)
	return err
}

// logs sends what a task has said so far; nobody here follows it.
func (c *Client) logs(w http.ResponseWriter, r *http.Request) {
	a := c.allocOf(w, r)
	if a == nil {
		return
	}
	q := r.URL.Query()
	kind := q.Get("type")
	if kind != "stdout" && kind != "stderr" {
		http.Error(w, `must provide log type ("stdout" or "stderr")`, http.StatusBadRequest)
		return
	}
	text, err := os.ReadFile(filepath.Join(a.dir, "alloc", "logs", filepath.Base(q.Get("task"))+"."+kind+".0"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if plain, err := strconv.ParseBool(q.Get("plain")); err == nil && plain {
		_, _ = w.Write(text)
		return
	}
	sendJSON(w, api.StreamFrame{File: q.Get("task") + "." + kind + ".0", Data: text, Offset: int64(len(text))})
}

// meta is what the configuration says, under what was set while running. The lock is held.
func (c *Client) meta() map[string]string {
	meta := maps.Clone(c.config.Client.Meta)
	if meta == nil {
		meta = map[string]string{}
	}
	for key, value := range c.dynamic {
		if value == nil {
			delete(meta, key)
		} else {
			meta[key] = *value
		}
	}
	return meta
}

func (c *Client) sendMeta(w http.ResponseWriter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sendJSON(w, api.NodeMetaResponse{Meta: c.meta(), Dynamic: c.dynamic, Static: c.config.Client.Meta})
}

// applyMeta changes the node's meta, and registers it anew.
func (c *Client) applyMeta(w http.ResponseWriter, r *http.Request) {
	var in api.NodeMetaApplyRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	maps.Copy(c.dynamic, in.Meta)
	session := c.session
	c.mu.Unlock()
	if err := c.persist(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if session != nil {
		if err := c.registerAgain(session); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	c.sendMeta(w)
}
