package httpapi

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	// defaultWait and maxWait are how long a blocking query waits at most (facts/nomad.md §1).
	defaultWait = 5 * time.Minute
	maxWait     = 5 * time.Minute
)

// query are the options that every read takes.
type query struct {
	values    url.Values
	region    string
	namespace string
	index     uint64
	wait      time.Duration
	stale     bool
	prefix    string
	filter    string
	perPage   int
	nextToken string
	reverse   bool
}

func parseQuery(r *http.Request) (query, error) {
	v := r.URL.Query()
	q := query{
		values: v, region: v.Get("region"), namespace: v.Get("namespace"), stale: v.Has("stale"),
		prefix: v.Get("prefix"), filter: v.Get("filter"), nextToken: v.Get("next_token"), reverse: v.Get("reverse") == "true",
	}
	if q.namespace == "" {
		q.namespace = api.DefaultNamespace
	}
	var err error
	if text := v.Get("wait"); text != "" {
		if q.wait, err = time.ParseDuration(text); err != nil {
			return q, badRequest("Invalid wait time")
		}
	}
	if text := v.Get("index"); text != "" {
		if q.index, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, badRequest("Invalid index")
		}
	}
	if text := v.Get("per_page"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return q, badRequest("Failed to parse value of %q (%v) as a int32: %v", "per_page", text, err)
		}
		q.perPage = int(n)
	}
	return q, nil
}

// waitTime is how long the query waits. Nomad adds up to a sixteenth at random; clients have to bear less as well.
func (q query) waitTime() time.Duration {
	if q.wait <= 0 {
		return defaultWait
	}
	return min(q.wait, maxWait)
}

// flag reads a parameter that is true or false, and missing more often than not.
func (q query) flag(name string, missing bool) (bool, error) {
	text := q.values.Get(name)
	if text == "" {
		return missing, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, badRequest("Failed to parse value of %q (%v) as a bool: %v", name, text, err)
	}
	return value, nil
}

// checkIDPrefix refuses what the index of IDs can't look up: an odd number of digits is a 500 (facts/nomad.md §1).
func checkIDPrefix(kind, prefix string) error {
	digits := strings.ReplaceAll(prefix, "-", "")
	if len(digits)%2 != 0 {
		return fail(http.StatusInternalServerError,
			"%s lookup failed: index error: Input (without hyphens) must be even length", kind)
	}
	if _, err := hex.DecodeString(digits); err != nil {
		return fail(http.StatusInternalServerError, "%s lookup failed: index error: Invalid UUID: %v", kind, err)
	}
	return nil
}
