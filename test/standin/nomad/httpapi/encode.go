package httpapi

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// raw is an answer that isn't JSON.
type raw struct {
	contentType string
	body        []byte
}

// withStatus is an answer of another status than 200.
type withStatus struct {
	code  int
	value any
}

// answer writes what a handler returned.
func answer(w http.ResponseWriter, r *http.Request, value any, err error) {
	switch {
	case errors.Is(err, errAnswered):
		return
	case err != nil:
		code, text := statusOf(err)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text) // an error means that the client has gone
		return
	case value == nil:
		return
	}
	out, done := compressed(w, r)
	defer done()
	if r, ok := value.(raw); ok {
		w.Header().Set("Content-Type", r.contentType)
		_, _ = out.Write(r.body)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if coded, ok := value.(withStatus); ok {
		w.WriteHeader(coded.code)
		value = coded.value
	}
	encoder := json.NewEncoder(out)
	if r.URL.Query().Has("pretty") {
		encoder.SetIndent("", "    ")
	}
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
}

// errAnswered: the handler wrote the answer itself.
var errAnswered = errors.New("answered")

// compressed writes gzip to those who take it, as all of Nomad's own clients do.
func compressed(w http.ResponseWriter, r *http.Request) (io.Writer, func()) {
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return w, func() {}
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Add("Vary", "Accept-Encoding")
	zipped, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil { // which only a level that doesn't exist makes
		return w, func() {}
	}
	return zipped, func() { _ = zipped.Close() }
}

// decode reads the body of a write.
func (c *call) decode(into any) error {
	err := json.NewDecoder(c.r.Body).Decode(into)
	if err != nil && !errors.Is(err, io.EOF) {
		return badRequest("%v", err)
	}
	return nil
}
