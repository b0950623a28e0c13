package nomad

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
)

// errUnusable is an answer that no Nomad gives: what is said in it isn't believed, and nothing is done on it.
var errUnusable = errors.New("the answer is not one of Nomad's")

// What an answer may be at most. The longest list of Nomad's that was measured has half a kilobyte a node (facts of 1.11.3: 6,000
// nodes, 3 MB); an error is a line.
const (
	largestAnswer = 64 << 20
	largestError  = 64 << 10
)

// safely does a request, and turns a panic over its answer into an error: nomad/api hands on whatever a server has sent, and one
// pool's server must not end the controller of all.
func safely(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errUnusable, p, debug.Stack())
		}
	}()
	return do()
}

// whole refuses a list with items that are null. One without them would be shorter, and busy nodes would look empty.
func whole[T any](items []*T) error {
	if slices.Contains(items, nil) {
		return fmt.Errorf("%w: a list with null in it", errUnusable)
	}
	return nil
}

// bounded lets no answer be longer than Nomad's are. nomad/api asks for gzip and unzips it itself without a limit; without that header
// net/http asks for it and unzips before the limit is counted.
type bounded struct{ http.RoundTripper }

// RoundTrip does the request.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept-Encoding") != "" {
		r = r.Clone(r.Context())
		r.Header.Del("Accept-Encoding")
	}
	response, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit := int64(largestAnswer)
	if response.StatusCode >= http.StatusMultipleChoices {
		limit = largestError
	}
	response.Body = &limitedBody{ReadCloser: response.Body, left: limit, cut: limit == largestError}
	return response, nil
}

// CloseIdleConnections closes those of the transport below.
func (b bounded) CloseIdleConnections() {
	if t, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// limitedBody ends an error where it gets too long, and fails any other answer there.
type limitedBody struct {
	io.ReadCloser
	left int64
	cut  bool
}

// Read reads what may be read.
func (l *limitedBody) Read(p []byte) (int, error) {
	switch {
	case l.left > 0:
	case l.cut:
		return 0, io.EOF
	default:
		return 0, fmt.Errorf("%w: it is longer than %d MiB", errUnusable, int64(largestAnswer)>>20)
	}
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// longestQuote is how much of an error text is shown: Nomad's own are a line.
const longestQuote = 300

// quotable is the text of an error as it may be shown in a condition: a line of plain words. Pages of proxies, and what an address that
// isn't Nomad's may have to say, are not repeated to whoever may read the pool.
func quotable(body string) string {
	body = strings.TrimSpace(body)
	isPage := strings.HasPrefix(body, "<") || strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[")
	isOdd := strings.ContainsFunc(body, func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r == '\uFFFD') })
	if body == "" || isPage || isOdd || len(body) > longestQuote || strings.Count(body, "\n") > 3 {
		return ""
	}
	return strings.Join(strings.Fields(body), " ")
}
